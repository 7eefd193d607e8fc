"""Symbol tables of a kernel as values: read, kept, searched, compared."""
