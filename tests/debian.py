"""Real kernels from Debian's packages, fetched once and kept in a cache folder.

Run as a script it fetches the packages named (``python -m tests.debian linux-image-amd64``) and
prints the folder of each.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(
    os.environ.get("LKM_TEST_CACHE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lkm-tests"
)


class NotHere(Exception):  # noqa: N818  # it is an answer, not an error
    """Debian's packages cannot be had on this machine, for the reason given."""


def a_kernel(meta_package: str) -> Path:
    """Return the unpacked root of the kernel that *meta_package* depends on today."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise NotHere("this is no Debian: there is no apt-get")
    depends = _run("apt-cache", "depends", "--important", meta_package)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if found is None:
        raise NotHere(f"apt knows no package {meta_package}; run apt-get update")
    return unpacked(found[1])


def unpacked(package: str) -> Path:
    """Return the folder that *package* is unpacked in, downloading it when it is not there."""
    folder = CACHE / package
    if folder.is_dir():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    partial = CACHE / f"{package}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "root").mkdir(parents=True)
    partial.chmod(0o777)  # apt downloads as its own user where it can
    _run("apt-get", "download", package, cwd=partial)
    (archive,) = partial.glob("*.deb")
    _run("dpkg", "-x", str(archive), str(partial / "root"))
    (partial / "root").rename(folder)
    shutil.rmtree(partial)
    return folder


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "it failed").splitlines()[-1]
        raise NotHere(f"{' '.join(command)}: {reason}")
    return done.stdout


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(a_kernel(name) if name.count("-") < 4 else unpacked(name))
