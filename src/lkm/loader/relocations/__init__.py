"""A module's relocations, as the kernel applies them; a file a processor."""
