"""lkm and kmod, timed side by side; ``python -m bench`` (see README.md)."""
