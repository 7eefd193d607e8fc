"""What reads configuration, symbol tables and what else is made of lines."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

from lkm._text import decode
from lkm.config.cmdline import parse_command_line
from lkm.config.depmod_d import DepmodSettings
from lkm.config.depmod_d import parse as parse_depmod_d
from lkm.config.modprobe_d import parse as parse_modprobe_d
from lkm.config.settings import Settings
from lkm.diagnose.kconfig import module_options
from lkm.errors import LkmError
from lkm.kallsyms.diff import compare
from lkm.kallsyms.snapshot import load, read_snapshot, save
from lkm.kallsyms.table import SymbolTable
from lkm.kernel.procfs import modules_text, parse_modules
from lkm.loader.boot_options import boot_options
from lkm.loader.symbols.symvers import parse_symvers
from lkm.teaching import RELEASE
from lkm.vmlinux.config import parse_config
from lkm.vmlinux.system_map import is_system_map, parse_system_map
from tests.fuzz import corpus
from tests.fuzz.inputs import ContradictionError, Input, Run, Target
from tests.fuzz.mutate import apply, mutate_bytes, mutate_lines, put_number, set_byte

_MODPROBE_D = b"""# what a distribution ships
alias net-pf-3 off
alias fs-* vfat
options fat codepage=437 quote="a b" \\
  more=1
install sound /sbin/modprobe --ignore-install sound $CMDLINE_OPTS && echo done
remove sound /sbin/modprobe -r --ignore-remove sound
blacklist pcspkr
softdep libcrc32c pre: crc32c post: a-b
weakdep a b c
config binary_indexes yes
alias pci:v0000[1-9a-f]d* matched
"""
_DEPMOD_D = b"""search updates external built-in kernel/*
override tm 6.1.* extra
external 6\\.1.*[0-9]+(a|b)?$ /opt/modules /srv/more
exclude old_driver
make_map_files no
"""
_COMMAND_LINE = (
    b"BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet module_blacklist=floppy,nouveau "
    b'module.sig_enforce=1 fat.codepage=437 snd-hda.model="a b" modprobe.blacklist=x,y -- init\n'
)
_KALLSYMS = b"".join(
    b"%016x %c %s%s\n" % (address, b"TtDdA"[index % 5], name, module)
    for index, (address, name, module) in enumerate(
        [(0xFFFFFFFF81000000 + 16 * n, b"core_%d" % n, b"") for n in range(40)]
        + [(0xFFFFFFFFC0200000 + 16 * n, b"fat_%d.llvm.%d" % (n, n), b"\t[fat]") for n in range(9)]
    )
)
_PROC_MODULES = (
    b"vfat 24576 1 - Live 0xffffffffc0206000\n"
    b"fat 98304 1 vfat, Live 0xffffffffc0201000 (OE)\n"
    b"stuck 16384 0 [permanent], Loading 0x0000000000000000 (+)\n"
)
_NAMES = ("fat", "fs-vfat", "sound", "pcspkr", "pci:v00001d", "net_pf_3", "")


def _one(name: str, data: bytes) -> Callable[[bool], Sequence[Input]]:
    return lambda _real: (Input(name, data),)


def _modprobe_d(folder: Path) -> Run:
    path = folder / "test.conf"

    def run(given: Input) -> str:
        path.write_bytes(given.data)
        parse_modprobe_d(decode(given.data), "test.conf")
        settings = Settings.read("/nowhere", [str(path)])
        for name in _NAMES:
            for ask in (
                *(settings.aliases_for, settings.options_for, settings.install_for),
                *(settings.remove_for, settings.softdep_for, settings.blacklisted),
            ):
                ask(name)
        return "fine"

    return run


def _depmod_d(folder: Path) -> Run:
    path = folder / "test.conf"

    def run(given: Input) -> str:
        path.write_bytes(given.data)
        parse_depmod_d(decode(given.data), "test.conf")
        settings = DepmodSettings.read("/nowhere", [str(path)])
        if zlib.crc32(given.data) % 4:  # nobody asks both of one file, save depmod -vv
            settings.rules("6.1.0-56-amd64")
        else:
            settings.remarks("6.1.0-56-amd64")
        return "fine"

    return run


def _command_line(_folder: Path) -> Run:
    def run(given: Input) -> str:
        text = decode(given.data)
        parse_command_line(text)
        boot_options(text)
        return "fine"

    return run


def _kconfig(_folder: Path) -> Run:
    def run(given: Input) -> str:
        config = parse_config(decode(given.data))
        return f"{len(module_options(config)) // 10}0 options"

    return run


def _symvers(_folder: Path) -> Run:
    return lambda given: "some" if parse_symvers(decode(given.data)) else "none"


def _system_map(_folder: Path) -> Run:
    def run(given: Input) -> str:
        is_system_map(given.data[:200])
        return type(parse_system_map(given.data)).__name__

    return run


def _proc_modules(_folder: Path) -> Run:
    def run(given: Input) -> str:
        modules = parse_modules(decode(given.data))
        again = parse_modules(modules_text(modules[:1000]))
        if [each.name for each in again] != [each.name for each in modules[:1000]]:
            raise ContradictionError("what it writes reads otherwise")
        return "fine"

    return run


def _kallsyms(folder: Path) -> Run:
    whole = SymbolTable.from_text(_KALLSYMS)

    def run(given: Input) -> str:
        path = folder / "symbols"
        path.write_bytes(given.data)
        table = read_snapshot(str(path))
        problems = sum(_fails(table, whole))
        return f"{problems} questions fail"

    return run


def _fails(table: SymbolTable, whole: SymbolTable) -> Iterable[bool]:
    questions: tuple[Callable[[], object], ...] = (
        lambda: table.module_names,
        lambda: table.hidden,
        lambda: compare(whole, table),
        lambda: [changes.shift for changes in compare(table, whole, fold_llvm=True).modules],
        lambda: (table.names, table.modules, table.types, table.addresses),
        lambda: table.find("core_*"),
        lambda: table.at_address(0xFFFFFFFF81000011),
        lambda: _kept(table),
    )
    for question in questions:
        try:
            question()
        except LkmError:
            yield True


def _kept(table: SymbolTable) -> None:
    again = load(save(table))
    if tuple(again) != tuple(table) and "\0" not in "".join(table.modules):
        raise ContradictionError("what it saves reads otherwise")


@functools.cache
def _tables(_real: bool) -> tuple[Input, ...]:
    zeros = b"".join(b"0" * 16 + line[16:] + b"\n" for line in _KALLSYMS.splitlines())
    narrow = b"".join(line[8:] + b"\n" for line in _KALLSYMS.splitlines())
    texts = (
        Input("kallsyms", _KALLSYMS),
        Input("zeros", zeros),
        Input("narrow", narrow),
        *corpus.teaching_files("boot/System.map-{}"),
    )
    tables = [SymbolTable.from_text(each.data, release=RELEASE) for each in texts[:3]]
    return (*texts, *[Input(f"{n}.snapshot", save(table)) for n, table in enumerate(tables)])


def _mutate_tables(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    if not start.name.endswith(".snapshot"):
        return mutate_lines(rng, start, others)
    if rng.random() < 0.3:
        return mutate_bytes(rng, start, others)
    return _repacked(rng, start.data)


def _repacked(rng: Random, data: bytes) -> bytes:
    """Change what a snapshot packs, and have its size and checksum be right all the same."""
    content = bytearray(zlib.decompress(data[24:]))
    changes = (put_number, set_byte)
    changed = apply(rng, bytes(content), (), changes)
    checks = zlib.crc32(changed).to_bytes(4, "little") + len(changed).to_bytes(4, "little")
    return data[:16] + checks + zlib.compress(changed)


def _configs(_real: bool) -> Sequence[Input]:
    return corpus.teaching_files("boot/config-{}")


def _symvers_files(real: bool) -> Sequence[Input]:
    found = corpus.teaching_files("usr/src/linux-headers-{}/Module.symvers")
    real_ones = corpus.real_file("linux-headers-6.1*/usr/src/*/Module.symvers") if real else []
    return [*found, *[Input("real.symvers", each.data[:50_000]) for each in real_ones]]


def _maps(real: bool) -> Sequence[Input]:
    found = corpus.teaching_files("boot/System.map-{}")
    real_ones = corpus.real_file("linux-image-6.1*-cloud-amd64/boot/System.map-*") if real else []
    return [*found, *[Input("real.map", each.data[:200_000]) for each in real_ones]]


_PLAIN: tuple[tuple[str, Callable[[bool], Sequence[Input]], Callable[[Path], Run]], ...] = (
    ("modprobe.d", _one("modprobe.conf", _MODPROBE_D), _modprobe_d),
    ("depmod.d", _one("depmod.conf", _DEPMOD_D), _depmod_d),
    ("command-line", _one("cmdline", _COMMAND_LINE), _command_line),
    ("kconfig", _configs, _kconfig),
    ("symvers", _symvers_files, _symvers),
    ("system-map", _maps, _system_map),
    ("proc-modules", _one("modules", _PROC_MODULES), _proc_modules),
)
TARGETS = (
    *[
        Target(name=name, seeds=seeds, mutate=mutate_lines, prepare=prepare)
        for name, seeds, prepare in _PLAIN
    ],
    Target(name="kallsyms", seeds=_tables, mutate=_mutate_tables, prepare=_kallsyms, cost=2),
)
