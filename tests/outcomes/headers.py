"""Debian's kernel headers, joined in one folder that modules are built against.

The packages are downloaded and unpacked, never installed: 6.12's would pull its image in. Three
belong together: ``linux-headers-RELEASE`` (configuration, Module.symvers), the ``-common`` one that
its Makefile includes, and the ``linux-kbuild`` one that its link ``scripts`` leads to.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.debian import CACHE, NotHere, unpacked

# Raised when the folder is laid out in another way, so that older ones are made anew.
_LAYOUT = 1


def headers(release: str) -> Path:
    """Return the folder for ``make -C`` of the kernel *release*, such as ``6.1.0-56-amd64``.

    Raises ``NotHere`` where a package cannot be had, or is laid out in an unknown way.
    """
    package = f"linux-headers-{release}"
    joined = CACHE / f"joined-{_LAYOUT}-{release}"
    if not joined.is_dir():
        own = unpacked(package)
        partial = joined.with_name(f"{joined.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for root in (own, *(unpacked(name) for name in _others(own / "usr/src" / package))):
            _join(root, partial)
        _mend(partial / "usr/src" / package / "Makefile")
        try:
            partial.rename(joined)
        except OSError:  # another run was faster
            shutil.rmtree(partial)
    return joined / "usr/src" / package


def compiler(folder: Path) -> str:
    """Return the compiler that the kernel of these headers was built by, such as ``gcc-12``."""
    variables = (folder / ".kernelvariables").read_text()
    found = re.search(r"^CC\s*=.*?(gcc-\d+)\s*$", variables, re.MULTILINE)
    if found is None:
        raise NotHere(f"{folder}/.kernelvariables names no gcc")
    if not shutil.which(found[1]):
        raise NotHere(f"{found[1]} is not installed (Debian: {found[1]})")
    return found[1]


def _others(folder: Path) -> tuple[str, str]:
    """Return the packages of the common headers and of kbuild that *folder* points to."""
    common = re.fullmatch(r"include /usr/src/(\S+)/Makefile\n", (folder / "Makefile").read_text())
    kbuild = re.search(r"/lib/(linux-kbuild-[^/]+)/scripts$", os.readlink(folder / "scripts"))
    if common is None or kbuild is None:
        raise NotHere(f"{folder} is laid out in an unknown way")
    return common[1], kbuild[1]


def _join(root: Path, folder: Path) -> None:
    """Add the files under *root* to *folder*, as hard links: the packages stay as they are."""
    for part in ("usr/src", "usr/lib"):
        if (root / part).is_dir():
            shutil.copytree(
                root / part, folder / part, copy_function=os.link, symlinks=True, dirs_exist_ok=True
            )


def _mend(makefile: Path) -> None:
    """Have *makefile* include the common one beside it, not the one of an installed package."""
    text = makefile.read_text()
    makefile.unlink()  # a hard link
    makefile.write_text(text.replace("include /usr/src/", "include ../"))
