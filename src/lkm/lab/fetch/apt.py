"""What apt knows of packages, and downloading them, without root.

The machine's own package lists serve where they know kernels. Otherwise, for another architecture,
and where they prove to be out of date, apt gets a state of lkm's own: the same sources and keys,
but lists and locks in a folder of this user's, so that the machine's stay as they are.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from lkm.errors import FileError, NoPackageToolError, PackageToolError
from lkm.lab.fetch.sources import IMAGE, architecture_of, by_hand

# So long the lists of lkm's own are taken for today's.
_LISTS_LAST_S = 12 * 3600
_PAUSE_S = 0.25
_NO_ROOM = os.strerror(errno.ENOSPC)
_NETWORK = "is this machine on the network? `apt-get update` as root shows whether apt works"

Tick = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that apt can download, and those that it *depends* on.

    Sizes are in bytes, as downloaded and as unpacked.
    """

    name: str
    version: str
    size: int
    installed_size: int
    depends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Apt:
    """apt for one architecture; with *settings* where it is to use a state of lkm's own."""

    settings: tuple[str, ...] = ()

    def names(self, start: str) -> tuple[str, ...]:
        """Return the packages whose names begin so."""
        return tuple(self._run("apt-cache", "pkgnames", start).split())

    def package(self, name: str) -> Package | None:
        """Return what apt would install by that *name*; None where it knows none."""
        try:
            text = self._run("apt-cache", "show", "--no-all-versions", name)
        except PackageToolError:
            return None
        wanted = "Version|Size|Installed-Size|Depends|Pre-Depends"
        fields = dict(re.findall(rf"^({wanted}): (.+)$", text, re.MULTILINE))
        if "Version" not in fields:
            return None
        depends = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}"
        return Package(
            name=name,
            version=fields["Version"],
            size=int(fields.get("Size", 0)),
            installed_size=int(fields.get("Installed-Size", 0)) << 10,
            # Of what may stand in for each other the first, and no versions.
            depends=tuple([each.split()[0] for each in depends.split(",") if each.strip()]),
        )

    def update(self, tick: Tick) -> None:
        """Fetch the package lists anew, into the state of lkm's own."""
        options = ("-qq", "-o", "APT::Update::Error-Mode=any")
        self._run("apt-get", *options, "update", tick=tick, remedy=_NETWORK)

    def download(self, name: str, folder: str, tick: Tick) -> None:
        """Download the package *name* into *folder*."""
        self._run("apt-get", "-q", "download", name, cwd=folder, tick=tick, remedy=_NETWORK)

    def _run(
        self,
        *command: str,
        cwd: str | None = None,
        tick: Tick | None = None,
        remedy: str = "",
    ) -> str:
        # As root apt would become a user of its own, who cannot enter a private folder.
        settings = ("APT::Sandbox::User=root", *self.settings)
        options = [word for setting in settings for word in ("-o", setting)]
        program, *words = command
        return run(program, *options, *words, cwd=cwd, tick=tick, remedy=remedy)


def run(*command: str, cwd: str | None = None, tick: Tick | None = None, remedy: str = "") -> str:
    """Run a package tool and return what it prints; *tick* is called every moment meanwhile.

    The program is gone when this returns, however it returns. Raises ``FileError`` where the disk
    is full, ``PackageToolError`` with *remedy* where the program fails otherwise.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise FileError.from_os("run", command[0], error) from None
    with process:
        try:
            out, err = _wait(process, tick)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        if _NO_ROOM in out + err:
            raise FileError("write", cwd or "the package lists", errno.ENOSPC)
        raise PackageToolError(_shown(command), _reason(err) or _reason(out) or "it failed", remedy)
    return out


def installed_apt(architecture: str) -> Apt | None:
    """Return apt with the machine's own lists; None where they know no kernel for *architecture*.

    Raises ``NoPackageToolError`` where there is no apt, or no dpkg.
    """
    for tool in ("apt-get", "apt-cache", "dpkg-deb"):
        if not shutil.which(tool):
            raise NoPackageToolError(f"there is no {tool} here", by_hand())
    apt = Apt()
    known = architecture == native_architecture() and apt.names(IMAGE)
    return apt if known else None


def own_apt(architecture: str, folder: str, tick: Tick) -> Apt:
    """Return apt with a state of its own in *folder*, its lists being there."""
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(f"{folder}/{name}", mode=0o700, exist_ok=True)
    with open(f"{folder}/status", "ab"):
        pass  # nothing is installed
    apt = Apt(
        (
            f"APT::Architecture={architecture}",
            f"APT::Architectures::={architecture}",
            f"Dir::State={folder}",
            f"Dir::State::status={folder}/status",
            f"Dir::State::lists={folder}/lists",
            f"Dir::Cache={folder}/cache",
        )
    )
    updated = f"{folder}/updated"
    if _age_s(updated) > _LISTS_LAST_S:
        try:
            apt.update(tick)
        except PackageToolError:
            if not os.path.exists(updated):
                raise
            return apt  # the lists of then must do
        with open(updated, "wb"):
            os.utime(updated)
    return apt


def native_architecture() -> str:
    """Return Debian's word for what this machine's programs are built for."""
    if shutil.which("dpkg"):
        return run("dpkg", "--print-architecture").strip()
    return architecture_of(platform.machine())


def _wait(process: subprocess.Popen[str], tick: Tick | None) -> tuple[str, str]:
    while True:
        try:
            return process.communicate(timeout=_PAUSE_S)
        except subprocess.TimeoutExpired:
            if tick is not None:
                tick()


def _age_s(path: str) -> float:
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return float("inf")


def _shown(command: tuple[str, ...]) -> str:
    """Return the words that were asked for, without the settings."""
    words = [word for word in command if "=" not in word and not word.startswith("-")]
    return " ".join(words)


def _reason(text: str) -> str:
    """Return the line that tells why a tool failed: the last that names a cause, else the last."""
    lines = [
        line.strip().removeprefix("E: ").rstrip(":.") for line in text.splitlines() if line.strip()
    ]
    causes = [line for line in lines if line.startswith("Failed to fetch")]
    return (causes or lines or [""])[-1]
