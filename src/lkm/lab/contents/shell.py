"""Put a shell and the programs of a small system into a guest.

busybox has all of them in one program. Where it is missing, the host's own shell and tools have to
do. A guest of this machine's kind also gets the host's ``/bin/sh``: busybox's shell takes its own
``insmod`` and ``modprobe`` for those of the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from lkm.errors import FileError, NoLabProgramError
from lkm.lab.contents.files import Files
from lkm.lab.contents.programs import add_program

KMOD_TOOLS = ("lsmod", "modinfo", "modprobe", "insmod", "rmmod", "depmod")
PACKAGES = (
    ("debian", "busybox-static"),
    ("fedora", "busybox"),
    ("arch", "busybox"),
    ("opensuse", "busybox-static"),
    ("alpine", "busybox-static"),
)
_BUSYBOX = "/usr/bin/busybox"
_PATH = ":/usr/bin:/bin:/usr/sbin:/sbin"
# What the agent runs, and a user without busybox could not do without.
_TOOLS = (
    *("mount", "mkdir", "ln", "stty", "mkfifo", "wc", "cat", "dd", "gzip", "grep", "setsid"),
    *("sleep", "ls", "cp", "mv", "rm", "head", "tail", "uname", "dmesg", "ps", "true", "false"),
)


def busybox_here() -> str:
    """Return the path of the host's busybox, empty without one; a static one comes first."""
    found = [shutil.which(name, path=_search()) for name in ("busybox-static", "busybox")]
    return next((path for path in found if path is not None), "")


def add_shell(files: Files, busybox: str) -> str:
    """Put the host's shell and tools into *files*; return what runs the agent.

    Without a *busybox* they are the host's own. Raises ``NoLabProgramError`` where one is missing.
    """
    shell = os.path.realpath("/bin/sh")
    if os.path.isfile(shell) and os.path.basename(shell) != "busybox":
        add_program(files, shell, "/usr/bin/sh")
    if busybox:
        add_program(files, os.path.realpath(busybox), _BUSYBOX)
        _add_links(files, _applets(busybox))
        return f"{_BUSYBOX} sh"
    for name in _TOOLS:
        path = shutil.which(name, path=_search())
        if path is None:
            raise NoLabProgramError(f"busybox (or {name})", "is not installed", PACKAGES)
        add_program(files, os.path.realpath(path), f"/usr/bin/{name}")
    return "/usr/bin/sh"


def add_foreign_shell(files: Files, busybox: str) -> str:
    """Put the static *busybox* of another machine into *files*; return what runs the agent."""
    files.copy(busybox, _BUSYBOX)
    own = busybox_here()
    # It cannot be asked here which programs it has; most likely they are the same.
    _add_links(files, _applets(own) if own else (*_TOOLS, *KMOD_TOOLS, "sh"), keep=KMOD_TOOLS)
    return f"{_BUSYBOX} sh"


def add_lkm_as_tools(files: Files, script: str) -> None:
    """Have lkm answer to the names of kmod's tools; to modprobe once the agent has linked it.

    A kernel that boots asks for module after module by /sbin/modprobe, and would start Python for
    each, before there is anything to load.
    """
    for name in KMOD_TOOLS:
        files.link(f"/usr/sbin/{name}" if name != "modprobe" else "/lab/modprobe", script)
    files.link("/usr/bin/kmod", script)


def _add_links(files: Files, names: tuple[str, ...], keep: tuple[str, ...] = ()) -> None:
    for name in names:
        if name not in KMOD_TOOLS or name in keep:
            files.link(f"/usr/bin/{name}", "busybox")


def _applets(busybox: str) -> tuple[str, ...]:
    try:
        done = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=False)
    except OSError as error:
        raise FileError.from_os("run", busybox, error) from None
    return tuple(done.stdout.split())


def _search() -> str:
    return os.environ.get("PATH", "") + _PATH
