"""The binary indexes of depmod: a radix tree on disk."""
