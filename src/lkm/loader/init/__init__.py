"""What a module's init function answers."""
