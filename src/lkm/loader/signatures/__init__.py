"""The signature at a module's end: what the kernel makes of it."""
