"""What figures depend on besides the programs."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.timing import Words
from bench.workshop import Workshop
from lkm import __version__
from tests.debian import NotHere


def described(workshop: Workshop) -> str:
    """Return the machine and the programs as a Markdown list."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    facts = {
        "CPU": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {size:.1f} GiB of memory",
        "kernel": f"Linux {platform.release()}, {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "lkm": __version__,
        "kmod": _kmod(workshop),
        "load at the start": f"{os.getloadavg()[0]:.2f}",
    }
    return "".join(f"* {name}: {text}\n" for name, text in facts.items())


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
