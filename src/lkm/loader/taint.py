"""Taints: what a module does to the trust in its kernel, as bits and letters.

Source: kernel/panic.c, taint_flags; kernel/module/main.c, module_flags_taint.
"""

from __future__ import annotations

import enum


class Taint(enum.IntFlag):
    """The taints that loading and unloading modules can set; the values are the kernel's bits."""

    PROPRIETARY = 1 << 0
    FORCED = 1 << 1
    FORCED_REMOVAL = 1 << 3
    UNSAFE_PARAMETER = 1 << 6
    WARNED = 1 << 9
    STAGING = 1 << 10
    OUT_OF_TREE = 1 << 12
    UNSIGNED = 1 << 13
    LIVEPATCH = 1 << 15
    TEST = 1 << 18


UNTAINTED = Taint(0)

# By the number of the bit; of all taints, as others than the module loader set some as well.
_LETTERS = "PFSRMBUDAWCIOELKXTNJ"

# These make the kernel give up on lock debugging, once, with a line in the log.
_ENDS_LOCK_DEBUGGING = Taint.PROPRIETARY | Taint.FORCED | Taint.FORCED_REMOVAL


def letters(taints: int) -> str:
    """Return the letters of *taints*, in the order of the bits, as the kernel prints them.

    A bit that is newer than this has none.
    """
    return "".join([letter for bit, letter in enumerate(_LETTERS) if taints >> bit & 1])


def ends_lock_debugging(taint: Taint, kernel_taints: int) -> bool:
    """Tell whether *taint* makes a kernel tainted by *kernel_taints* log that it gives up."""
    return bool(taint & _ENDS_LOCK_DEBUGGING) and not kernel_taints & _ENDS_LOCK_DEBUGGING
