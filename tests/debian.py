"""Debian's kmod, and real kernels from its packages, fetched once and kept in a cache folder.

Those of other architectures are fetched with an apt state of their own, so that the machine's
stays as it is. Run as a script it fetches the packages named
(``python -m tests.debian linux-image-amd64``) and prints the folder of each.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

CACHE = Path(
    os.environ.get("LKM_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lkm-tests"
)
# So long the package lists of another architecture are taken for today's.
_LISTS_LAST_S = 12 * 3600


class NotHere(Exception):  # noqa: N818  # it is an answer, not an error
    """Debian's packages cannot be had on this machine, for the reason given."""


def a_kernel(meta_package: str, architecture: str = "") -> Path:
    """Return the unpacked root of the kernel that *meta_package* depends on today.

    *architecture* is Debian's word for it; empty for this machine's own.
    """
    options = _apt_options(architecture)
    depends = _run("apt-cache", *options, "depends", "--important", meta_package)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if found is None:
        hint = f"its sources have none for {architecture}" if architecture else "run apt-get update"
        raise NotHere(f"apt knows no package {meta_package}; {hint}")
    return unpacked(found[1], architecture)


def newest(pattern: str) -> str:
    """Return the package with the highest numbers of those whose names match *pattern*."""
    found = _run("apt-cache", *_apt_options(""), "search", "--names-only", pattern).split("\n")
    names = [line.split(" ")[0] for line in found if line]
    if not names:
        raise NotHere(f"apt knows no package {pattern}; run apt-get update")
    return max(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def unpacked(package: str, architecture: str = "") -> Path:
    """Return the folder that *package* is unpacked in, downloading it when it is not there."""
    folder = CACHE / package
    if folder.is_dir():
        return folder
    options = _apt_options(architecture)
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = CACHE / f"{package}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "root").mkdir(parents=True)
    partial.chmod(0o777)  # apt downloads as its own user where it can
    _run("apt-get", *options, "download", package, cwd=partial)
    (archive,) = partial.glob("*.deb")
    _run("dpkg", "-x", str(archive), str(partial / "root"))
    (partial / "root").rename(folder)
    shutil.rmtree(partial)
    return folder


def kmod_tools(folder: Path) -> Path:
    """Return *folder*, in which Debian's kmod now lies by its own name and its tools'.

    As symlinks, since Debian puts the tools in /usr/sbin, which need not be in a user's PATH.
    """
    found = shutil.which("kmod", path=os.environ.get("PATH", "") + ":/usr/bin:/bin:/usr/sbin:/sbin")
    if found is None:
        raise NotHere("kmod is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    for tool in ("kmod", "lsmod", "modinfo", "modprobe", "insmod", "rmmod", "depmod"):
        link = folder / tool
        if not link.is_symlink():
            link.symlink_to(found)
    return folder


def _apt_options(architecture: str) -> list[str]:
    """Return apt's options for the packages of *architecture*, its package lists being there."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise NotHere("this is no Debian: there is no apt-get")
    if not architecture:
        return []
    state = CACHE / f"apt-{architecture}"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    settings = [f"APT::Architecture={architecture}", f"APT::Architectures::={architecture}"]
    settings += [f"Dir::State={state}", f"Dir::State::status={state}/status"]
    settings += [f"Dir::State::lists={state}/lists", f"Dir::Cache={state}/cache"]
    # The cache may lie in a home that apt's own user cannot enter.
    settings += ["APT::Sandbox::User=root"]
    options = [word for setting in settings for word in ("-o", setting)]
    updated = state / "updated"
    if not updated.exists() or time.time() - updated.stat().st_mtime > _LISTS_LAST_S:
        try:
            _run("apt-get", *options, "-qq", "-o", "APT::Update::Error-Mode=any", "update")
            updated.touch()
        except NotHere:
            if not updated.exists():  # else the lists of then must do
                raise
    return options


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "it failed").splitlines()[-1]
        settings = [word for word in command if word.startswith("APT::Architecture=")]
        words = [word for word in command if "::" not in word and word != "-o"]
        raise NotHere(f"{' '.join([*words, *settings])}: {reason}")
    return done.stdout


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(a_kernel(name) if name.count("-") < 4 else unpacked(name))
