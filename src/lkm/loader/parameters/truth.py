"""Truth values as the kernel reads them.

Source: lib/kstrtox.c, kstrtobool.
"""

from __future__ import annotations

_BEGINNINGS = {**dict.fromkeys("yYtT1", True), **dict.fromkeys("nNfF0", False)}
_BEGINNINGS |= {first + second: second in "nN" for first in "oO" for second in "nNfF"}


def truth(text: str) -> bool | None:
    """Return what *text* says by its first letter, or two; None where it is no truth value."""
    return _BEGINNINGS.get(text[:1], _BEGINNINGS.get(text[:2]))
