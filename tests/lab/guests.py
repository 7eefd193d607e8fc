"""Guests for the checks that are made inside: a tree with tiny modules, and what goes with it."""

from __future__ import annotations

import json
import lzma
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.lab.session import Ended, run_command
from lkm.lab.setup import LabKernel, LabRequest, set_up
from tests.debian import kmod_tools
from tests.kernel.unfit import write_unfit
from tests.lab.sequences import SEQUENCES
from tests.oracle.declared import DIFFERENCES
from tests.outcomes.kernels import RealKernel
from tests.outcomes.patching import modinfo, patched, struct_name, vermagic

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

REPOSITORY = Path(__file__).parents[2]
# What runs inside, as far as it is not lkm.
_INSIDE = (
    *("__init__.py", "kernel/__init__.py", "kernel/contract.py", "kernel/bench.py"),
    *("lab/__init__.py", "lab/beside_kmod.py", "lab/cut_short.py"),
)
_DEBIAN = ("fat", "vfat")
_TINY = (
    *("tm_exp", "tm_dep", "tm_usegpl", "tm_ok", "tm_level1", "tm_level2", "tm_level3", "tm_level4"),
    *("tm_params", "tm_hold", "tm_missing", "tm_noexit", "tm_ret", "tm_slow", "tm_useslow"),
    *("tm_initfail", "tm_nap1", "tm_nap2", "tm_nap3", "tm_nap4", "tm_oops", "tm_hang", "tm_spin"),
)
# Of kmod 30's lines only these are to be written otherwise than today's.
_REWRITTEN = frozenset({"dry-run-prints", "holders-remove", "show-alias"})


@dataclass(frozen=True)
class Prepared:
    """A kernel with tiny modules in its tree, and the folder of what else is to be in a guest."""

    kernel: LabKernel
    files: Path

    def run(self, *command: str, timeout_s: float) -> tuple[Ended, str, str]:
        """Run *command* in a guest; return how that ended, and what it wrote."""
        out, err = bytearray(), bytearray()
        request = LabRequest(
            command=(*command, str(self.files.parent / "programs/kmod")),
            modules=("all",),
            copies=(str(self.files), *[f"{REPOSITORY}/tests/{name}" for name in _INSIDE]),
            folder=str(REPOSITORY),
        )
        lab = set_up(self.kernel, request)
        ended = run_command(lab.machine, out.extend, err.extend, timeout_s=timeout_s)
        return ended, out.decode(errors="replace"), err.decode(errors="replace")


def prepare(kernel: RealKernel, folder: Path) -> Prepared:
    """Lay out *folder* for guests of *kernel*. Raises ``NotHere``."""
    release = kernel.release
    tree = folder / "root/lib/modules" / release
    (tree / "kernel").mkdir(parents=True)
    debian = kernel.root / "lib/modules" / release
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copy(debian / name, tree / name)
    for path in sorted(debian.rglob("*.ko*")):
        if path.name.partition(".")[0] in _DEBIAN:
            shutil.copy(path, tree / "kernel" / path.name)
    for name, data in _modules(kernel).items():
        (tree / "kernel" / name).write_bytes(data)
    files = folder / "files"
    write_unfit(files, kernel.tiny)
    ok = kernel.tiny("tm_ok")
    for name, data in {
        "ok.ko.xz": _xz(ok),
        "ok.ko.zst": _zst(ok),
        "cut.ko.xz": _xz(ok)[:-40],
    }.items():
        (files / name).write_bytes(data)
    _add_kmod(folder)
    (files / "sequences.json").write_text(json.dumps(_sequences(files, release)))
    image = str(kernel.root / f"boot/vmlinuz-{release}")
    return Prepared(LabKernel(release=release, root=str(folder / "root"), image=image), files)


def _modules(kernel: RealKernel) -> Mapping[str, bytes]:
    """Return the tiny modules of the tree, by the names of their files."""
    found = {f"{name}.ko": kernel.tiny(name) for name in _TINY}
    found["tm-dash.ko"] = kernel.tiny("tm_dash")
    found["tm_dep2.ko.xz"] = _xz(kernel.tiny("tm_dep2"))
    found["tm_meta.ko.zst"] = _zst(kernel.tiny("tm_meta"))
    found["tm_wrong.ko"] = patched(
        kernel.tiny("tm_ok"),
        struct_name("tm_wrong"),
        modinfo("name", "tm_wrong"),
        vermagic(lambda old: old.replace(" SMP ", " ")),
    )
    return found


def _xz(data: bytes) -> bytes:
    # The kernel's own unpacker knows no other checksum.
    return lzma.compress(data, check=lzma.CHECK_CRC32)


def _zst(data: bytes) -> bytes:
    return zstd.compress(data)


def _add_kmod(folder: Path) -> None:
    """Put kmod where nothing else lies, so that its libraries come along; beside, its tools."""
    (folder / "programs").mkdir()
    real = (kmod_tools(folder / "host-kmod") / "kmod").resolve()
    shutil.copy(real, folder / "programs/kmod")
    tools = folder / "files/kmod"
    tools.mkdir()
    for name in ("lsmod", "modprobe", "insmod", "rmmod"):
        (tools / name).symlink_to(folder / "programs/kmod")


def _sequences(files: Path, release: str) -> Sequence[Mapping[str, object]]:
    """Return the sequences as the guest does them, each line's words for each program."""
    found: list[Mapping[str, object]] = []
    for number, sequence in enumerate(SEQUENCES):
        conf = files / f"conf/{number}.conf"
        conf.parent.mkdir(exist_ok=True)
        conf.write_text(sequence.conf)
        places = {
            "TREE": f"/lib/modules/{release}/kernel",
            "FILES": str(files),
            "CONF": str(conf),
        }
        lines = []
        for line in sequence.lines:
            old = line
            for each in DIFFERENCES:
                old = each.line(old) if each.id in _REWRITTEN else old
            lines.append({"kmod": _words(old, places), "lkm": _words(line, places)})
        found.append({"name": sequence.name, "lines": lines})
    return found


def _words(line: str, places: Mapping[str, str]) -> list[str]:
    for name, path in places.items():
        line = line.replace(name, path)
    return shlex.split(line)
