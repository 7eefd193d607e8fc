"""The teaching kernel that ships in the package: a small root folder with real modules.

It is built by ``python -m teaching`` from the sources in lkm's repository. Nothing here reads it:
this room only knows where it lies.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

RELEASE: Final = "6.1.0-lkm-teaching"


def teaching_root() -> str:
    """Return the path of the folder that is the teaching kernel's root.

    In it lie ``lib/modules/RELEASE`` with modules and indexes, and in ``boot`` the kernel's
    configuration, its symbol table as System.map, and its facts.
    """
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "root")


def facts_file() -> str:
    """Return the path of the file with the kernel's facts, as ``lkm.vmlinux.saved`` writes them."""
    return os.path.join(teaching_root(), "boot", f"facts-{RELEASE}")
