"""Text whose bytes nobody promised to be UTF-8: modinfo, file names, configuration, logs."""

from __future__ import annotations


def decode(data: bytes) -> str:
    """Return *data* as text; a byte that is not UTF-8 becomes a lone surrogate.

    ``encode`` gives exactly the same bytes back.
    """
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes that ``decode`` made *text* from."""
    return text.encode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    r"""Return *text* with control characters and stray bytes shown as ``\xNN``.

    For lkm's own verbs: a module's description must not be able to drive the reader's terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escaped(character) for character in text
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
