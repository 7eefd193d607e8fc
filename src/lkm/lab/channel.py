"""What comes back from a guest over its serial ports.

The first port is the kernel's console. The second takes what the init has to say, apart from the
kernel's messages; its last line tells how that ended, and that it ended at all:

    lab: exit status NUMBER
"""

from __future__ import annotations

from dataclasses import dataclass

END = "lab: exit status "


@dataclass(frozen=True, slots=True)
class Said:
    """What stood on the second port: the *output* before the end line, and the exit *status*.

    *status* is None where the line is missing: the guest died, or was stopped.
    """

    output: str
    status: int | None


def parse_output(data: bytes) -> Said:
    """Return what the guest said; bytes that are no UTF-8 are replaced."""
    text = as_text(data)
    before, found, rest = text.rpartition(END)
    number = rest.strip()
    if not found or not (number.isascii() and number.isdigit() and len(number) <= 3):
        return Said(text, None)
    return Said(before, int(number))


def as_text(data: bytes) -> str:
    """Return what came over a serial line, whose lines end with CR LF, as plain lines."""
    return data.decode(errors="replace").replace("\r\n", "\n")
