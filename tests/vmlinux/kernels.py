"""Debian's kernels that the readers of images are held against."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.debian import CACHE, NotHere, a_kernel, unpacked

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
        root = unpacked(_newest(r"^linux-image-6\.12\.[0-9.]+\+deb12-amd64$"))
    else:
        root = a_kernel("linux-image-cloud-amd64" if kind == "6.1 cloud" else "linux-image-amd64")
    return RealKernel(root.name.removeprefix("linux-image-"), root)


def arm64_kernel() -> RealKernel:
    """Return the arm64 kernel of the release of "6.1 cloud"; raises NotHere.

    Fetched with an apt state of its own, so that the machine's stays as it is.
    """
    release = real_kernel("6.1 cloud").release.replace("amd64", "arm64")
    package = f"linux-image-{release}"
    if not (CACHE / package).is_dir():
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder)
            for name in ("lists/partial", "cache/archives/partial", "root"):
                (state / name).mkdir(parents=True)
            (state / "status").touch()
            state.chmod(0o777)
            options = [f"Dir::State={state}", f"Dir::State::status={state}/status"]
            options += [f"Dir::State::lists={state}/lists", f"Dir::Cache={state}/cache"]
            options += ["APT::Architecture=arm64", "APT::Architectures::=arm64"]
            apt = ["apt-get", "-q", *[word for option in options for word in ("-o", option)]]
            _run([*apt, "update"], state)
            _run([*apt, "download", package], state)
            (archive,) = state.glob("*.deb")
            _run(["dpkg", "-x", str(archive), str(CACHE / f"{package}.partial")], state)
        (CACHE / f"{package}.partial").rename(CACHE / package)
    return RealKernel(release, CACHE / package)


def _newest(pattern: str) -> str:
    found = subprocess.run(
        ["apt-cache", "search", "--names-only", pattern],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split("\n")
    names = [line.split(" ")[0] for line in found if line]
    if not names:
        raise NotHere(f"apt knows no package {pattern}")
    return max(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"{' '.join(command)}: {done.stderr.strip()[-200:]}")
