"""Debian's kernels that the readers of images are held against."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.debian import a_kernel, newest, unpacked

KINDS = ("6.1 cloud", "6.1", "6.12")


@dataclass(frozen=True)
class RealKernel:
    release: str
    root: Path

    @property
    def image(self) -> Path:
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def config(self) -> Path:
        return self.root / "boot" / f"config-{self.release}"

    def modules(self, count: int) -> list[Path]:
        """Return that many module files, from all over the tree."""
        every = sorted((self.root / "lib/modules" / self.release).rglob("*.ko*"))
        return every[:: max(len(every) // count, 1)][:count]

    def symvers(self) -> Path:
        headers = unpacked(f"linux-headers-{self.release}")
        return headers / "usr/src" / f"linux-headers-{self.release}" / "Module.symvers"


def real_kernel(kind: str) -> RealKernel:
    """Return one of ``KINDS``, downloading it if need be; raises NotHere."""
    if kind == "6.12":
        root = unpacked(newest(r"^linux-image-6\.12\.[0-9.]+\+deb12-amd64$"))
    else:
        root = a_kernel("linux-image-cloud-amd64" if kind == "6.1 cloud" else "linux-image-amd64")
    return RealKernel(root.name.removeprefix("linux-image-"), root)


def arm64_kernel() -> RealKernel:
    """Return the arm64 kernel of the release of "6.1 cloud"; raises NotHere."""
    release = real_kernel("6.1 cloud").release.replace("amd64", "arm64")
    return RealKernel(release, unpacked(f"linux-image-{release}", "arm64"))
