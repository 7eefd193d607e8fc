"""A made-up apt and dpkg, which know only the packages that a test gives them."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.builders.tree import a_root

# An option after -o is of no concern, save the one that tells that the lists are lkm's own.
_OPTIONS = """
repository=@/installed
while :; do
    case "$1" in
    -o) case "$2" in Dir::State=*) repository=@/updated;; esac; shift 2;;
    -*) shift;;
    *) break;;
    esac
done
echo "$(basename "$0") $*" >>@/log
[ ! -e "@/fail-$1" ] || { cat "@/fail-$1" >&2; exit 100; }
"""
_TOOLS = {
    "apt-cache": """
cd "$repository"
case "$1" in
pkgnames) for name in "$2"*; do [ ! -d "$name" ] || echo "$name"; done;;
show) shift; while [ "${1#-}" != "$1" ]; do shift; done; cat "$1/control";;
esac
""",
    "apt-get": """
case "$1" in
update) [ ! -e @/coming ] || { rm -rf @/updated; mv @/coming @/updated; };;
download)
    [ ! -e @/slow ] || { echo part >"$2.deb"; touch @/downloading; sleep 60; }
    cp "$repository/$2/archive.tar" "$2.deb";;
esac
""",
    "dpkg-deb": 'tar -xf "$1" -C "$2"\n',
    "dpkg": "echo amd64\n",
}


@dataclass(frozen=True)
class MadeUpApt:
    """The tools in ``bin`` below *folder*; what they were asked for is in ``calls``."""

    folder: Path

    @property
    def calls(self) -> list[str]:
        log = self.folder / "log"
        return log.read_text().splitlines() if log.exists() else []

    def fails(self, action: str, said: str) -> None:
        """Have whatever is asked to do *action* fail, and say so."""
        (self.folder / f"fail-{action}").write_text(f"{said}\n")

    def add(
        self,
        name: str,
        files: Mapping[str, bytes] | Path,
        *,
        depends: str = "",
        lists: str = "installed",
        kib: int = 1,
    ) -> None:
        """Make a package of *files*, or of a folder; *lists* is which ones know it."""
        place = self.folder / lists / name
        place.mkdir(parents=True)
        (place / "control").write_text(
            f"Package: {name}\nVersion: 1.0-1\nInstalled-Size: {kib}\nSize: 1000\n"
            "Pre-Depends: linux-base (>= 4.12~)\n"
            f"Depends: kmod, {depends or 'initramfs-tools (>= 0.120) | linux-initramfs-tool'}\n"
        )
        content = place / "content" if not isinstance(files, Path) else files
        if not isinstance(files, Path):
            content.mkdir()
            for path, data in files.items():
                (content / path).parent.mkdir(parents=True, exist_ok=True)
                (content / path).write_bytes(data)
        with tarfile.open(place / "archive.tar", "w") as archive:
            archive.add(content, ".")

    def add_kernel(self, release: str, *, lists: str = "installed", kib: int = 1) -> None:
        """Make the package of a small kernel."""
        content = a_root(self.folder / "content" / lists / release, release=release)
        (content / "boot").mkdir()
        (content / f"boot/vmlinuz-{release}").write_bytes(b"an image")
        self.add(f"linux-image-{release}", content, lists=lists, kib=kib)


def a_made_up_apt(folder: Path) -> MadeUpApt:
    """Write the tools; the caller puts ``bin`` into PATH."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(parents=True)
    for lists in ("installed", "updated"):
        (folder / lists).mkdir()
    for name, body in _TOOLS.items():
        tool = bin_folder / name
        tool.write_text("#!/bin/sh\n" + (_OPTIONS + body).replace("@", os.fspath(folder)))
        tool.chmod(0o755)
    return MadeUpApt(folder)
