"""Find a kernel's vermagic, the text that each of its modules has to carry, in its image.

    vermagic    the release, a space, then words: SMP, preempt or preempt_rt, mod_unload,
                modversions, and what the machine adds (aarch64, 686, ARMv7, ...)

Source: include/linux/vermagic.h; kernel/module/main.c.
"""

from __future__ import annotations

import re

from lkm import _text
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.image import KernelImage

_LONGEST = 400
_MOST_PLACES = 1000
_WORDS = re.compile(rb"[\w.+ -]*")
# At least one of these is in every vermagic of a kernel that can remove modules or has two
# processors; a text without any of them might be something else.
_KNOWN = {b"SMP", b"preempt", b"preempt_rt", b"mod_unload", b"modversions"}


def read_vermagic(image: KernelImage) -> str | CouldNotTell:
    """Return the vermagic as it stands in the image, with the space at its end where it has one."""
    if image.release is None:
        return CouldNotTell("the image does not tell its release")
    start_text = _text.encode(image.release) + b" "
    found: set[bytes] = set()
    start = -1
    for _turn in range(_MOST_PLACES):
        start = image.data.find(start_text, start + 1)
        if start < 0:
            break
        text = image.data[start : start + _LONGEST].partition(b"\0")[0]
        rest = text[len(start_text) :]
        if _WORDS.fullmatch(rest) and _KNOWN & set(rest.split()):
            found.add(text)
    if len(found) == 1:
        return _text.decode(found.pop())
    if found:
        return CouldNotTell("the image has several texts that may be its vermagic")
    return CouldNotTell("no vermagic was found in the image")
