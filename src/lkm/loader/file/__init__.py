"""The file that the loader is given, until it is known to be a module: unwrapped, and sound."""
