"""What a guest is to have and to run, and the initramfs that holds it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files

from lkm import cpio
from lkm._version import __version__
from lkm.lab.architectures import Architecture, of_host
from lkm.lab.contents.copied import add_folder, add_named, check_folder, size_of
from lkm.lab.contents.files import Files, is_hosts_own, merged_usr
from lkm.lab.contents.modules import add_modules
from lkm.lab.contents.python import SCRIPT, add_python, library_state
from lkm.lab.contents.shell import add_foreign_shell, add_lkm_as_tools, add_shell
from lkm.lab.kept import Made, kept, key_of, key_of_file
from lkm.lab.needs import check_copied, memory_available

IN_LAB = "LKM_LAB"
"""Set in a guest: lkm is in a lab already, and ``--on lab`` is the kernel that runs."""

_HOME = "/root"
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"
_GROUP = b"root:x:0:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a guest gets.

    *directory* is its kernel's tree on the host, empty without one, *modules* are paths of files
    in it. *copies* are folders and files of the host; those that words of *command* name come
    along too. An empty *command* stands for a shell. With *on_terminal* that runs on the guest's
    terminal, otherwise its output comes over the channel. *folder* is where it starts, *stdin* what
    it reads. *roots* are paths that stand for the guest's own root. *busybox* is one for its
    machine, empty where the host's tools have to do.
    """

    architecture: Architecture
    release: str
    directory: str
    modules: tuple[str, ...] = ()
    boot_files: tuple[str, ...] = ()
    copies: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    on_terminal: bool = False
    folder: str = "/"
    stdin: bytes = b""
    roots: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    busybox: str = ""


def initramfs(wanted: Wanted) -> tuple[bytes, ...]:
    """Return the archives that are the guest's file system, in their order.

    The first one, which has the programs, is kept. Raises ``LabError``, ``FileError``.
    """
    _check_size(wanted)
    name = f"programs-{_state_of_programs(wanted)}.cpio"
    programs = kept(name, lambda: _programs(wanted))
    there = frozenset(entry.name for entry in cpio.parse_archive(programs))
    own = Files(there, tuple(dict.fromkeys(each for root in wanted.roots for each in _both(root))))
    # First, since a folder that is copied may stand for the guest's own root.
    own.add("/lab/settings", _settings(wanted))
    own.add("/lab/command", _command(wanted, own.inside(wanted.folder)))
    own.add("/lab/stdin", wanted.stdin)
    if wanted.directory:
        add_modules(own, wanted.directory, wanted.release, wanted.modules)
    for path in wanted.boot_files:
        own.copy(path, f"/boot/{os.path.basename(path)}")
    for copied in wanted.copies:
        add_folder(own, copied)
    add_named(own, wanted.command)
    if not is_hosts_own(wanted.folder):
        own.folder(wanted.folder)
    return programs, own.archive()


def _check_size(wanted: Wanted) -> None:
    """Raise ``LabError`` for more than a guest can hold, before any of it is read."""
    for copied in wanted.copies:
        check_folder(copied)
    sizes = {copied: size_of(copied) for copied in wanted.copies}
    if wanted.modules:
        sizes[f"what is taken of {wanted.directory}"] = sum(map(size_of, wanted.modules))
    check_copied(sizes, memory_available())


def kernel_command_line(architecture: Architecture, append: str) -> str:
    """Return the command line of a guest's kernel: what the lab needs, then *append*."""
    # A processor that does not answer is asked by an interrupt where it is, and so panics.
    words = f"console={architecture.console} quiet panic=-1 unknown_nmi_panic"
    return f"{words} {append}".rstrip()


def is_foreign(architecture: Architecture) -> bool:
    """Tell whether programs of this machine do not run in a guest of *architecture*."""
    return architecture is not of_host() or sys.platform != "linux"


def _programs(wanted: Wanted) -> Made:
    files = merged_usr()
    for name in ("dev", "proc", "sys", "tmp", "run", "lab", "boot", "root", "etc/modprobe.d"):
        files.folder(f"/{name}")
    files.add("/etc/passwd", _PASSWD)
    files.add("/etc/group", _GROUP)
    if is_foreign(wanted.architecture):
        interpreter = add_foreign_shell(files, wanted.busybox)
    else:
        add_python(files)
        add_lkm_as_tools(files, SCRIPT)
        interpreter = add_shell(files, wanted.busybox)
    agent = package_files("lkm.lab").joinpath("agent.sh").read_bytes()
    files.add("/init", f"#!{interpreter}\n".encode() + agent, 0o755)
    console = cpio.archive([cpio.folder("dev"), cpio.character_device("dev/console", 5, 1)])
    return Made(console + files.archive(), files.sources)


def _state_of_programs(wanted: Wanted) -> str:
    if is_foreign(wanted.architecture):
        return key_of_file(wanted.busybox, __version__, *_agent_state())
    paths = (wanted.busybox, os.path.realpath("/bin/sh"), sys.executable)
    return key_of([*(key_of_file(path) for path in paths), *library_state(), *_agent_state()])


def _agent_state() -> tuple[str, ...]:
    return (package_files("lkm.lab").joinpath("agent.sh").read_text(encoding="utf-8"),)


def _settings(wanted: Wanted) -> bytes:
    machine = wanted.architecture
    lines = [
        f"channel=/dev/{machine.channel}",
        f"terminal=/dev/{machine.terminal}",
        f"interactive={1 if wanted.on_terminal else ''}",
    ]
    return _text(lines)


def _both(root: str) -> tuple[str, ...]:
    """Return the names of a root: a process that is in it knows the one without links."""
    real = os.path.realpath(root)
    return (root,) if real == "/" else (root, real)


def _command(wanted: Wanted, folder: str) -> bytes:
    variables = {
        "HOME": _HOME,
        "USER": "root",
        "LANG": "C.UTF-8",
        IN_LAB: wanted.release,
        **wanted.environment,
    }
    lines = ["exec 7<&- 8>&- 9>&-"]
    if not wanted.on_terminal:
        lines.append("exec </lab/stdin >/lab/out.fifo 2>/lab/err.fifo")
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    # The host's folder may be one that no guest has, as of a process in /proc.
    lines.append(f"cd {shlex.quote(folder)} 2>/dev/null || cd /")
    if wanted.command:
        lines.append(f"exec {shlex.join(wanted.command)}")
    else:
        lines += [
            "export PS1='lab:\\w# '",
            # busybox's shell would take its own programs for these.
            *("export ENV=/lab/functions", ": >$ENV"),
            "for tool in lsmod modinfo modprobe insmod rmmod depmod; do",
            '    [ -e /usr/sbin/$tool ] && echo "$tool() { /usr/sbin/$tool \\"\\$@\\"; }" >>$ENV',
            "done",
            "[ -e /usr/bin/busybox ] && exec /usr/bin/busybox sh -i",
            "exec /bin/sh -i",
        ]
    return _text(lines)


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
