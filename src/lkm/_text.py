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


def of_file(path: str) -> str | None:
    """Return the whole of the file at *path* as text; None where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return decode(file.read())
    except OSError:
        return None


def quoted(text: str) -> str:
    """Return *text* in quotes, with control characters escaped as Python does.

    Stray bytes stay, unlike in ``repr``, so that a document gives them back.
    """
    shown = [one if one.isprintable() or _is_stray(one) else repr(one)[1:-1] for one in text]
    return "'" + "".join(shown) + "'"


def printable(text: str) -> str:
    r"""Return *text* with control characters and stray bytes shown as ``\xNN``.

    For lkm's own verbs: a module's description must not be able to drive the reader's terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else _escaped(character) for character in text
    )


def _is_stray(character: str) -> bool:
    """Tell whether ``decode`` made it from a byte that is no UTF-8."""
    return "\udc80" <= character <= "\udcff"


def _escaped(character: str) -> str:
    code = ord(character)
    if _is_stray(character):
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
