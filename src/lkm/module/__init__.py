"""One kernel module file: opening, modinfo, symbols, signature; nothing of where it lies."""
