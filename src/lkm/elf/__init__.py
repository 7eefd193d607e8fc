"""ELF files, 32 and 64 bit, either byte order: headers, sections, symbols, relocations, notes."""
