"""What differs between the releases of Linux: when it changed, and where that can be read.

A rule that is not named here is the same in all of them, as far as kernels were looked at: 6.1.192
and 6.12.117 were held against real ones, for others their sources tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, ...]
"""The numbers that a release begins with, two or three; the third a distribution may hide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the module loader: its first release, what is new, and the *source* of that.

    *backported* maps a stable series to its first release with the change.
    """

    since: Version
    what: str
    source: str
    backported: tuple[Version, ...] = ()

    def in_release(self, version: Version) -> bool:
        """Tell whether a kernel of that *version* has the change."""
        for start in self.backported:
            if version[:2] == start[:2]:
                return version >= start
        return version >= self.since


SEPARATE_AREAS = Change(
    since=(6, 4),
    what="text, data, read-only data and what turns read-only each have an area of their own",
    source="kernel/module/main.c, move_module; commit ac3b43283923",
)
EARLY_CHECKS = Change(
    since=(6, 4),
    what=(
        "vermagic and name are looked at before memory is laid out, and a module taints only once "
        "its name is taken; a licence that is not free is told a second time"
    ),
    source="kernel/module/main.c, early_mod_check and module_augment_kernel_taints",
)
STRUCT_CHECKED = Change(
    since=(6, 4),
    what="there is one struct module, and it has the kernel's size",
    source="kernel/module/main.c, elf_validity_check; commit 419e1a20f714",
)
STEPWISE_ELF = Change(
    since=(6, 13),
    what="the parts of the ELF file are looked at one after the other, their types too",
    source="kernel/module/main.c, elf_validity_cache_copy; seen in 6.12.117, not yet in 6.12.107",
    backported=((6, 12, 117),),
)

_NUMBERS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,2}")

CHANGES: tuple[Change, ...] = (SEPARATE_AREAS, EARLY_CHECKS, STRUCT_CHECKED, STEPWISE_ELF)
"""All of them, oldest first."""


def parse_version(release: str) -> Version:
    """Return the numbers that *release* begins with (``6.12.117+deb12-amd64``: 6, 12, 117).

    At most three; 0, 0 for what begins otherwise.
    """
    found = _NUMBERS.match(release)
    if found is None:
        return 0, 0
    return tuple([int(number) for number in found[0].split(".")])
