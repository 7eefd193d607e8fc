"""User-mode Linux, a kernel that is a program of its host, as Debian's package has it.

It has options that Debian's kernels for amd64 do not have: no CRCs, no signatures, no forced
removal, no strict split of code and data, no data in kallsyms, one processor. There are no headers
for it, so its own modules, renamed, stand for the tiny ones as far as they can.

    python -m tests.outcomes.uml            boot it, hold the sandbox against it, tell what differs
    python -m tests.outcomes.uml record     write down what it shows of its modules
"""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lkm.lab.batch import as_text, parse_output
from lkm.module.file import read_image
from lkm.names import module_name_of_path
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.config import Config, read_config_file
from tests.debian import NotHere, unpacked
from tests.outcomes.case import Case
from tests.outcomes.guest import Boot, Seen, answers, initramfs_of
from tests.outcomes.holding import Held, boot, hold
from tests.outcomes.kernels import all_steps, files_of, in_boots, steps_by_case
from tests.outcomes.patching import Patch, modinfo, patched, section, struct_name, symbol_name

PACKAGE = "user-mode-linux"
_MODULES = "usr/lib/uml/modules"
_CONFIG = "usr/share/doc/user-mode-linux/config.gz"
_FOLDERS = {"lib": 2, "crypto": 2, "fs": 2, "net/netfilter": 8, "net/llc": 1, "net/802": 1}
_FOLDERS |= {"drivers/md": 4}
_LEFT_OUT = frozenset({"tcrypt"})  # it tests for minutes, and fails then
# What is said on stderr of a guest that ends; a stack trace has about so many lines.
_LAST_LINES = 60


@dataclass(frozen=True)
class UserModeLinux:
    """The kernel of the package, unpacked in *root*."""

    root: Path

    @classmethod
    def here(cls) -> UserModeLinux:
        """Return the one that Debian has today. Raises ``NotHere``."""
        if os.uname().machine != "x86_64":
            raise NotHere("user-mode Linux runs on x86-64 only")
        return cls(unpacked(PACKAGE))

    @cached_property
    def release(self) -> str:
        """Its release."""
        (tree,) = (self.root / _MODULES).iterdir()
        return tree.name

    @property
    def program(self) -> Path:
        """The kernel, which is a program."""
        return self.root / "usr/bin/linux.uml"

    @cached_property
    def paths(self) -> Mapping[str, Path]:
        """Its modules, by name."""
        found = sorted((self.root / _MODULES).rglob("*.ko"))
        return {str(module_name_of_path(path.name)): path for path in found}

    @cached_property
    def config(self) -> Config:
        """Its configuration."""
        return read_config_file(str(self.root / _CONFIG))

    def debian(self, name: str) -> bytes:
        """Return its own module of that name."""
        return read_image(str(self.paths[name])).data

    def tiny(self, name: str) -> bytes:
        """Return one of its own, renamed, for a tiny module. Raises ``KeyError``."""
        own, patches = _STANDS_FOR[name]
        renaming = (struct_name(name), modinfo("name", name))
        return patched(self.debian(own), *renaming, *patches)

    @property
    def types(self) -> KernelBtf:
        """Its types. Raises ``KeyError``: nobody asks it for types."""
        raise KeyError("BTF")

    def has(self, case: Case) -> bool:
        """Tell whether the files of *case* can be made from its modules."""
        try:
            files_of(case, self)
        except KeyError:
            return False
        return True

    def root_in(self, folder: Path) -> Path:
        """Return *folder* with the kernel, its configuration and its modules where lkm looks."""
        (folder / "boot").mkdir(parents=True)
        (folder / "lib/modules").mkdir(parents=True)
        (folder / f"boot/vmlinux-{self.release}").symlink_to(self.program)
        (folder / f"lib/modules/{self.release}").symlink_to(self.root / _MODULES / self.release)
        config = gzip.decompress((self.root / _CONFIG).read_bytes())
        (folder / f"boot/config-{self.release}").write_bytes(config)
        return folder


_WRITE_EXEC = 7
_OWN = "nls_ascii"  # an init and an exit function, plain symbols, no parameters
_STANDS_FOR: Mapping[str, tuple[str, tuple[Patch, ...]]] = {
    "tm_ok": (_OWN, ()),
    "tm_static": ("nls_cp437", ()),
    "tm_dash": (_OWN, ()),
    "printk": (_OWN, ()),
    "tm_prop": ("nls_cp850", (modinfo("license", "Proprietary"),)),
    "tm_intree": (_OWN, ()),
    "tm_staging": (_OWN, (modinfo("staging", "Y"),)),
    "tm_test": (_OWN, (modinfo("test", "Y"),)),
    "tm_livepatch": (_OWN, (modinfo("livepatch", "Y"),)),
    "tm_meta": ("xz_dec_test", ()),
    "tm_wx": (_OWN, (section(".text", "flags", _WRITE_EXEC),)),
    "tm_noinit": ("crc7", ()),
    "tm_noexit": ("mpi", ()),
    "tm_missing": (_OWN, (symbol_name("unregister_nls", "unregister_nlx"),)),
    "tm_exp": ("fat", ()),
    "tm_dep": ("vfat", ()),
    "tm_usegpl": ("msdos", ()),
    "tm_params": ("pstore", ()),
    "tm_align": (_OWN, (section(".data", "align", 4096), section(".rodata", "align", 1 << 13))),
}


def run(
    kernel: UserModeLinux, boot: Boot, *, timeout_s: float = 60, memory_mb: int = 256
) -> tuple[Seen, ...]:
    """Return what came of each operation of *boot* on *kernel*, in their order.

    The host's files are not seen by the guest, and nothing of it is left when this returns. Raises
    ``NotHere`` where user-mode Linux does not run, and without a compiler.
    """
    initramfs = initramfs_of(boot)
    with tempfile.TemporaryDirectory(prefix="uml-") as name:
        folder = Path(name)
        (folder / "initramfs").write_bytes(initramfs)
        with (folder / "output").open("wb") as output:
            command = [
                *(str(kernel.program), f"mem={memory_mb}M", "quiet", "panic=-1", "selinux=0"),
                *(f"initrd={folder / 'initramfs'}", "rdinit=/init", f"uml_dir={folder}"),
                *("con=null", "con0=null,fd:1", "ssl=null", f"ssl1=null,fd:{output.fileno()}"),
                *boot.command_line.split(),
            ]
            said, in_time = _wait(command, output.fileno(), folder, timeout_s)
        told = parse_output((folder / "output").read_bytes())
    last = tuple(said.splitlines()[-_LAST_LINES:])
    if "@op" not in told.output:
        reason = last[-1] if last else f"it said nothing for {timeout_s:g} seconds"
        raise NotHere(f"user-mode Linux does not run here: {reason}")
    if not in_time:
        last = (f"it was still running after {timeout_s:g} seconds", *last)
    elif told.status is not None:
        last = ()
    return answers(boot, told.output, last)


def _wait(command: Sequence[str], port: int, home: Path, timeout_s: float) -> tuple[str, bool]:
    """Run *command* with the file *port*; return what it said, and whether it ended in time."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[port],
        start_new_session=True,
        env={**os.environ, "HOME": str(home)},
    ) as process:
        try:
            said, _ = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            _kill(process)
            return as_text(process.communicate()[0]), False
        finally:
            _kill(process)
    return as_text(said), True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End what is left of *process*: each program of the guest is one of the host, too."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def held_live(kernel: UserModeLinux, cases: Sequence[Case]) -> list[Held]:
    """Boot *kernel*, run *cases* in rows, and hold the sandbox against them in the same rows."""
    held: list[Held] = []
    with tempfile.TemporaryDirectory(prefix="uml-root-") as name:
        root = kernel.root_in(Path(name) / "root")
        for number, row in enumerate(in_boots(cases)):
            files: dict[str, bytes] = {}
            for case in row:
                files |= files_of(case, kernel)
            operations = tuple([step.op for _case, step in all_steps(row)])
            line = row[0].command_line
            asked = Boot(command_line=line, files=files, operations=operations)
            real = steps_by_case(row, run(kernel, asked))
            with boot(Path(name) / f"state{number}", root, kernel.release, line) as sandbox:
                held += hold(sandbox, row, kernel, real)
    return held


def _chosen(kernel: UserModeLinux) -> list[str]:
    """Return modules that need no hardware, spread over the folders that hold such."""
    tree = kernel.root / _MODULES / kernel.release / "kernel"
    found: list[str] = []
    for folder, step in _FOLDERS.items():
        paths = [path for path in sorted((tree / folder).rglob("*.ko")) if "nls" not in path.name]
        found += [str(module_name_of_path(path.name)) for path in paths[::step]]
    return [name for name in found if name not in _LEFT_OUT]


def _record(kernel: UserModeLinux) -> None:
    from tests.loader.recording import shown_in, write_shown  # which has this package for its own

    found = shown_in(
        lambda boot: run(kernel, boot, timeout_s=300, memory_mb=800), kernel, _chosen(kernel)
    )
    about = f"Debian's {PACKAGE}, recorded by tests/outcomes/uml.py"
    print(f"{write_shown(kernel.release, about, found)}: {len(found)} modules")


def _compare(kernel: UserModeLinux) -> None:
    from tests.outcomes.cases_uml import OWN, shared

    cases = [*OWN, *[case for case in shared() if kernel.has(case)]]
    held = held_live(kernel, cases)
    bad = [each for each in held if each.differs]
    steps = sum([each.steps for each in held])
    print(f"{kernel.release}: {len(held) - len(bad)} of {len(held)} cases agree, {steps} steps")
    for each in bad:
        print(f"  {each.case.id}: {each.case.what}", *each.differs, sep="\n    ")


if __name__ == "__main__":
    (_record if sys.argv[1:] == ["record"] else _compare)(UserModeLinux.here())
