"""The module files of a tree: finding them, choosing among them, reading them."""
