"""Run a program in a made-up file system root, as this machine's own for it and its children.

The root is a folder whose entries are links to the machine's own under ``/host``, save for the
folders that module tools look into. A process enters it by a mount namespace of its own, where
``/host`` is the machine's whole file system, and chroot.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_OWN = ("proc", "sys", "etc", "run", "lib", "tmp", "usr", "case", "prog", "host", "fake")
_OWN_OF_USR = ("lib", "local")
_MODULE_FOLDERS = ("modules", "modprobe.d", "depmod.d")
_OF_ETC = ("ld.so.cache", "passwd", "group", "alternatives", "localtime")
_REPOSITORY = Path(__file__).parents[2]
_TOOLS = ("kmod", "lsmod", "modinfo", "modprobe", "insmod", "rmmod", "depmod")

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000


@dataclass(frozen=True)
class Ran:
    status: int
    out: bytes
    err: bytes


def lay_out(root: Path, program: str) -> None:
    """Make the root at *root*, in which all of kmod's names in ``/prog`` are *program*."""
    root.mkdir(parents=True)
    for name in _OWN:
        (root / name).mkdir()
    _link_all(Path("/"), root, besides=_OWN)
    _link_all(Path("/usr"), root / "usr", besides=_OWN_OF_USR)
    for folder in ("usr/lib", "usr/local", "usr/local/lib"):
        (root / folder).mkdir()
    _link_all(Path("/usr/lib"), root / "usr/lib", besides=_MODULE_FOLDERS)
    _link_all(Path("/usr/local"), root / "usr/local", besides=("lib",))
    _link_all(Path("/usr/local/lib"), root / "usr/local/lib", besides=_MODULE_FOLDERS)
    # A folder of its own, not a link to usr/lib: the two are told apart.
    _link_all(Path("/lib"), root / "lib", besides=_MODULE_FOLDERS)
    (root / "proc/self").symlink_to("/host/proc/self")  # where /dev/stdout leads
    for name in _OF_ETC:
        (root / "etc" / name).symlink_to(f"/host/etc/{name}")
    # A folder before what lies in it, as a virtual environment may in the repository.
    for needed in sorted([Path(sys.prefix), Path(sys.base_prefix), _REPOSITORY]):
        _link_deep(root, needed)
    for tool in _TOOLS:
        (root / "prog" / tool).symlink_to(program)


def run_inside(
    root: Path, line: str, *, library: Path, env: Mapping[str, str], timeout_s: float = 60
) -> Ran:
    """Run *line* by the shell in ``/case`` of *root*, with *library* loaded before all others."""
    environment = {
        "PATH": "/prog:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "HOME": "/case",
        "LD_PRELOAD": f"/host{library}",
        "FAKE_KERNEL": "/fake/kernel",
        "PYTHONDONTWRITEBYTECODE": "1",
        **env,
    }
    with subprocess.Popen(
        ["/bin/sh", "-c", line],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: _enter(root),  # noqa: PLW1509  # it takes no lock: calls of the C library
    ) as running:
        try:
            out, err = running.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(running.pid, signal.SIGKILL)  # the shell's children as well
            raise
    return Ran(running.returncode, out, err)


def cannot() -> str:
    """Return why no process of this one may enter such a root; empty if it may."""
    try:
        subprocess.run(["/bin/true"], preexec_fn=_unshare, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        return f"a mount namespace cannot be made: {error}"
    return ""


_LIBC = ctypes.CDLL(None, use_errno=True)


def _enter(root: Path) -> None:
    _unshare()
    _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    _call("mount", b"/", os.fsencode(root / "host"), None, _MS_BIND | _MS_REC, None)
    os.chroot(root)
    os.chdir("/case")
    os.umask(0o022)


def _unshare() -> None:
    if os.geteuid() == 0:
        _call("unshare", _CLONE_NEWNS)
        return
    user = os.geteuid()
    _call("unshare", _CLONE_NEWNS | _CLONE_NEWUSER)
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")


def _call(function: str, *arguments: int | bytes | None) -> None:
    if getattr(_LIBC, function)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _link_all(folder: Path, into: Path, *, besides: Sequence[str]) -> None:
    for entry in folder.iterdir():
        if entry.name not in besides:
            (into / entry.name).symlink_to(f"/host{entry}")


def _link_deep(root: Path, needed: Path) -> None:
    """Make the machine's folder *needed* be found at its own path, if it is not already."""
    here = root
    for part in needed.parts[1:-1]:
        here = here / part
        if here.is_symlink():
            return
        here.mkdir(exist_ok=True)
    if not (here / needed.name).is_symlink():
        (here / needed.name).symlink_to(f"/host{needed}")
