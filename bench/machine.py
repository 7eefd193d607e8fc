"""What figures depend on besides the programs."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from bench.cases import CASES
from bench.timing import Words
from bench.workshop import Workshop
from lkm import __version__
from tests.debian import CACHE, NotHere

_QUIET = 0.2  # of load for each core


def described(workshop: Workshop, pairs: int) -> str:
    """Return the machine, the programs and how they are timed as a Markdown list."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    facts = {
        "CPU": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {size:.1f} GiB of memory",
        "kernel": f"Linux {platform.release()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "file system": _file_system(CACHE.resolve()),
        "lkm": f"{__version__}{_commit()}",
        "kmod": _kmod(workshop),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "pairs of runs": f"{pairs}, and {_longer(pairs)} of short works",
        "load at the start": f"{os.getloadavg()[0]:.2f}",
    }
    return _listed(facts)


def kernels(workshop: Workshop) -> str:
    """Return which kernels the cases have worked with, as what continues that list."""
    return _listed({f"modules of {name}": text for name, text in workshop.kernels.items()})


def disturbed(load: float, cores: int) -> str:
    """Return the warning that a machine with this load deserves, "" if none."""
    if load <= _QUIET * cores:
        return ""
    return f"warning: the load is {load:.2f} on {cores} cores: these figures will not be steady"


def _listed(facts: Mapping[str, str]) -> str:
    return "".join(f"* {name}: {text}\n" for name, text in facts.items())


def _longer(pairs: int) -> str:
    times = sorted({case.times for case in CASES} - {1})
    return " or ".join(str(pairs * each) for each in times)


def _file_system(path: Path) -> str:
    """Return the type of the file system that *path* is on."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    found = [mount for mount in mounts if path.is_relative_to(mount[1])]
    # Of two on one place the later one is seen.
    return max(reversed(found), key=lambda mount: len(mount[1]))[2] if found else "unknown"


def _commit() -> str:
    """Return which commit lkm is of, where it is a checkout's."""
    if not shutil.which("git"):
        return ""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return f", {said}" if said else ""


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "unknown"  # not every architecture names its own


def _kmod(workshop: Workshop) -> str:
    try:
        command: Words = [workshop.kmod / "kmod", "--version"]
    except NotHere as reason:
        return str(reason)
    said: str = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return said.partition("\n")[0].removeprefix("kmod version ")
