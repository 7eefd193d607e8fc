"""What `lkm lab get` is asked for, as a value.

debian:SERIES           debian:6.1            the newest kernel of that series
debian:SERIES-FLAVOUR   debian:6.1-cloud      the same, of that flavour (cloud, rt, 16k, ...)
debian:RELEASE          debian:6.1.0-56-amd64 exactly that one
debian:PACKAGE          debian:linux-image-amd64
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from lkm._text import quoted
from lkm.errors import NoPackageToolError, UsageError
from lkm.tree.installed import looks_like_a_release

DEBIAN = "debian"
IMAGE = "linux-image-"
GRAMMAR = "debian:6.1, debian:6.1-cloud, debian:6.1.0-56-amd64 or debian:linux-image-amd64"

# Debian's word for each architecture, and how it calls the kernel that most machines of it run.
_FLAVOURS = {
    "amd64": "amd64",
    "arm64": "arm64",
    "armhf": "armmp",
    "i386": "686-pae",
    "ppc64el": "powerpc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
# What uname -m and QEMU call them.
_OTHER_WORDS = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "arm": "armhf",
    "i686": "i386",
    "ppc64le": "ppc64el",
}

# How each distribution's kernel is had by hand, without root where its tools can do that.
_BY_HAND = {
    "debian": (
        "apt-get download linux-image-RELEASE, then dpkg-deb -x FILE.deb DIR; or, without these, "
        "ar x FILE.deb and tar -xf data.tar.xz -C DIR"
    ),
    "ubuntu": (
        "apt-get download linux-image-unsigned-RELEASE linux-modules-RELEASE "
        "linux-modules-extra-RELEASE, then dpkg-deb -x each FILE.deb DIR"
    ),
    "fedora": (
        "dnf download kernel-core kernel-modules-core kernel-modules, then in DIR "
        "rpm2cpio FILE.rpm | cpio -idm for each"
    ),
    "opensuse": (
        "zypper --pkg-cache-dir CACHE download kernel-default, then in DIR "
        "rpm2cpio FILE.rpm | cpio -idm"
    ),
    "arch": "pacman -Sp linux prints where the package is; then tar -xf FILE.pkg.tar.zst -C DIR",
}
_AFTERWARDS = "then lkm depmod -b DIR RELEASE, and every verb takes --root DIR --release RELEASE"
_TOOLS = {"apt-get": "debian", "dnf": "fedora", "zypper": "opensuse", "pacman": "arch"}

_SERIES = re.compile(r"(\d+\.\d+)(?:-([a-z0-9]*[a-z][a-z0-9]*))?", re.ASCII)
# Debian's rule for a package's name.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A kernel of Debian's: the newest of a *series* and *flavour*, or a *package*.

    The fields that do not apply are empty; so is *flavour* for the one that most machines run.
    *text* is how it was asked for, *architecture* Debian's word for what it is to run on.
    """

    text: str
    architecture: str
    series: str = ""
    flavour: str = ""
    package: str = ""

    def matches(self, release: str) -> bool:
        """Tell whether a kernel of *release* is one that was asked for."""
        if self.package:
            return self.package in (f"{IMAGE}{release}", f"{IMAGE}{release}-unsigned")
        # 6.1.0-56-amd64, 6.12.117+deb12-cloud-amd64, 6.1.0-0.deb11.5-amd64, 6.7-amd64
        usual = _FLAVOURS[self.architecture]
        endings = (
            [f"{self.flavour}-{usual}", f"{usual}-{self.flavour}"] if self.flavour else [usual]
        )
        ending = "|".join(map(re.escape, endings))
        number = r"[0-9][0-9a-z.+~]*"
        wanted = rf"{re.escape(self.series)}(?:\.{number})?(?:-{number})?-(?:{ending})"
        return re.fullmatch(wanted, release) is not None


def parse_source(text: str, architecture: str) -> Source:
    """Return what *text* asks for, on the *architecture* that ``architecture_of`` names.

    Raises ``UsageError``, and ``NoPackageToolError`` for a distribution that lkm cannot fetch from.
    """
    distribution, colon, wanted = text.partition(":")
    if colon and distribution in _BY_HAND and distribution != DEBIAN:
        raise NoPackageToolError(
            f"lkm fetches Debian's kernels only, not {distribution}'s", by_hand(distribution)
        )
    if distribution != DEBIAN or not _PACKAGE.fullmatch(wanted):
        error = UsageError(f"{quoted(text)} names no kernel that can be fetched")
        error.remedy = f"write {GRAMMAR}"
        raise error
    series = _SERIES.fullmatch(wanted)
    if series:
        flavour = series[2] if series[2] and series[2] != _FLAVOURS[architecture] else ""
        return Source(text=text, architecture=architecture, series=series[1], flavour=flavour)
    package = f"{IMAGE}{wanted}" if looks_like_a_release(wanted) else wanted
    return Source(text=text, architecture=architecture, package=package)


def architecture_of(word: str) -> str:
    """Return Debian's word for the architecture that *word* means. Raises ``UsageError``."""
    name = _OTHER_WORDS.get(word, word)
    if name not in _FLAVOURS:
        error = UsageError(f"no architecture {quoted(word)}")
        error.remedy = f"there are {', '.join(_FLAVOURS)}"
        raise error
    return name


def by_hand(distribution: str = "") -> str:
    """Return how a kernel is had without lkm; by this machine's own tools where none is named."""
    if not distribution:
        found = [name for tool, name in _TOOLS.items() if shutil.which(tool)]
        distribution = found[0] if found else DEBIAN
    return f"by hand: {_BY_HAND[distribution]}; {_AFTERWARDS}"
