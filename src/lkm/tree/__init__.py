"""One modules directory: its files, its indexes, and the making of them."""
