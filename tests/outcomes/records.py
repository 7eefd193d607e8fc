"""What kernels answered, as it is committed: one folder of ``records/`` a kernel.

outcomes.json   the package and its version, the compiler of the tiny modules, and for each case
                what was seen of each step: every case had a boot of its own
root.tar.xz     what the sandbox needs to go through the same cases without the kernel: the
                facts of its image that they touch, the lists of its built-in modules, and
                ``ko/tiny`` and ``ko/debian``, the modules that the cases' files are made from
"""

from __future__ import annotations

import io
import json
import lzma
import os
import re
import struct
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from lkm.elf.file import ElfFile
from lkm.module.symbols import exports, imports
from lkm.vmlinux.answers import CouldNotTell, NotThere
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.config import read_config_file
from lkm.vmlinux.facts import VmlinuxFacts
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.saved import load, save
from tests.outcomes.build import compiler_version
from tests.outcomes.case import Case, Series
from tests.outcomes.guest import Seen
from tests.outcomes.kernels import RealKernel, cases_for, files_of, run_for_real, series_of

RECORDS = Path(__file__).parent / "records"
_KEPT_EACH = 20
# Of the configuration, what the loader goes by.
_OPTIONS = ("MOD", "KALLSYMS", "STRICT_MODULE", "LIVEPATCH", "DEBUG_INFO_BTF", "LOCK", "SECURITY_")
_MORE_OPTIONS = ("RETPOLINE", "MITIGATION_", "SYSTEM_", "SECONDARY_", "INTEGRITY", "X86_", "64BIT")
_OTHER_OPTIONS = ("CRYPTO", "IMA", "ARM64_", "XZ_", "PREEMPT", "FUNCTION_", "DYNAMIC_", "RANDOMIZE")
_FIRST_STRING = 1  # which cases name besides
_PACKAGE_VERSION = re.compile(r" Debian (\S+) \(\d{4}-\d\d-\d\d\)$")
_KEPT_SYMBOLS = frozenset({"__per_cpu_start", "__per_cpu_end"})


@dataclass(frozen=True)
class Record:
    """A kernel that was recorded; its *folder* is named by its release."""

    folder: Path

    @property
    def release(self) -> str:
        """Its release."""
        return self.folder.name

    @property
    def series(self) -> Series:
        """Which cases are for it. Raises ``UnknownSeriesError``."""
        return series_of(self.release)

    @cached_property
    def seen(self) -> Mapping[str, tuple[Seen, ...]]:
        """What was seen of the steps of each case."""
        document = json.loads((self.folder / "outcomes.json").read_text())
        return {
            case: tuple([Seen.from_json(step) for step in steps])
            for case, steps in document["cases"].items()
        }

    def unpack(self, folder: Path) -> RecordedKernel:
        """Unpack its root into *folder*."""
        with tarfile.open(self.folder / "root.tar.xz") as archive:
            archive.extractall(folder, filter="data")
        return RecordedKernel(folder, self.release)


@dataclass(frozen=True)
class RecordedKernel:
    """The unpacked root of a record, from which modules and the sandbox's kernel come."""

    root: Path
    release: str

    def tiny(self, name: str) -> bytes:
        """See Modules."""
        return (self.root / f"ko/tiny/{name}.ko").read_bytes()

    def debian(self, name: str) -> bytes:
        """See Modules."""
        return (self.root / f"ko/debian/{name}.ko").read_bytes()

    @cached_property
    def types(self) -> KernelBtf:
        """See Modules."""
        found = load((self.root / f"boot/facts-{self.release}").read_bytes()).btf
        assert isinstance(found, KernelBtf)
        return found


def all_records() -> tuple[Record, ...]:
    """Return what is committed."""
    return tuple([Record(path.parent) for path in sorted(RECORDS.glob("*/outcomes.json"))])


@dataclass
class _Asked:
    """A kernel's modules, which remembers those that were asked for."""

    kernel: RealKernel
    found: dict[str, bytes] = field(default_factory=dict)

    def tiny(self, name: str) -> bytes:
        return self._kept(f"tiny/{name}", lambda: self.kernel.tiny(name))

    def debian(self, name: str) -> bytes:
        return self._kept(f"debian/{name}", lambda: self.kernel.debian(name))

    @property
    def types(self) -> KernelBtf:
        return self.kernel.types

    def _kept(self, name: str, make: Callable[[], bytes]) -> bytes:
        return self.found.setdefault(name, make())


def record(
    kernel: RealKernel, word: str, *, say: Callable[[str], None], into: Path = RECORDS
) -> Record:
    """Boot *kernel* once for each of its cases, and write down what it answered.

    What is recorded already is kept, but for the cases whose ids hold *word*; empty for none.
    """
    folder = into / kernel.release
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "outcomes.json"
    cases = cases_for(kernel.series)
    about = {
        "kernel": kernel.release,
        "package": kernel.package,
        "version": package_version(kernel.banner),
        "compiler": compiler_version(kernel.release),
    }
    known = dict(Record(folder).seen) if path.exists() else {}
    known = {name: seen for name, seen in known.items() if not (word and word in name)}
    missing = [case for case in cases if case.id not in known]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        rows = threads.map(lambda case: run_for_real(kernel, [case]), missing)
        for number, (case, seen) in enumerate(zip(missing, rows, strict=True), 1):
            say(f"{number} of {len(missing)}: {case.id}")
            known[case.id] = seen
            if number % _KEPT_EACH == 0:  # whoever stops it loses little
                path.write_text(_text(about, cases, known))
    path.write_text(_text(about, cases, known))
    write_root(kernel, cases, folder / "root.tar.xz")
    return Record(folder)


def write_root(kernel: RealKernel, cases: Sequence[Case], path: Path) -> None:
    """Write what the sandbox needs for *cases* of *kernel* to the archive at *path*."""
    asked = _Asked(kernel)
    for case in cases:
        files_of(case, asked)
    tree = f"lib/modules/{kernel.release}"
    files = {f"ko/{name}.ko": data for name, data in asked.found.items()}
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        files[f"{tree}/{name}"] = (kernel.root / tree / name).read_bytes()
    files[f"boot/facts-{kernel.release}"] = save(_facts(kernel, list(asked.found.values())))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    path.write_bytes(lzma.compress(packed.getvalue(), preset=9))


def _facts(kernel: RealKernel, modules: Sequence[bytes]) -> VmlinuxFacts:
    """Return the facts of the kernel's image as far as *modules* touch them."""
    facts = kernel.facts
    config = read_config_file(str(kernel.root / f"boot/config-{kernel.release}"))
    touched = {"module_layout", *[name for data in modules for name in _touched(data)]}
    offered, symbols = facts.exports, facts.kallsyms
    assert not isinstance(offered, CouldNotTell | NotThere)
    assert isinstance(symbols, KernelSymbols)
    kept = [symbol for symbol in symbols if symbol[2] in _KEPT_SYMBOLS]
    return facts.replaced(
        exports=tuple([each for each in offered if each.name in touched]),
        kallsyms=KernelSymbols(
            addresses=tuple([symbol[0] for symbol in kept]),
            types="".join([symbol[1] for symbol in kept]),
            names=tuple([symbol[2] for symbol in kept]),
        ),
        config={
            name: value
            for name, value in config.items()
            if name.removeprefix("CONFIG_").startswith((*_OPTIONS, *_MORE_OPTIONS, *_OTHER_OPTIONS))
        },
        btf=_thinned(kernel.types, modules),
    )


def _thinned(types: KernelBtf, modules: Sequence[bytes]) -> KernelBtf:
    """Return *types* with the strings that *modules* may name; in place of others are zeros."""
    strings = types.strings
    kept = bytearray(len(strings))
    for start in {_FIRST_STRING, *[number for data in modules for number in _type_words(data)]}:
        if start < len(strings):
            end = strings.index(b"\0", start)
            kept[start:end] = strings[start:end]
    return KernelBtf(types.type_count, types.type_tags, bytes(kept))


def _type_words(module: bytes) -> Iterator[int]:
    """Yield every number in the module's BTF: those that are places of strings are among them."""
    elf = ElfFile.from_bytes(module)
    for section in elf.sections:
        if section.name == ".BTF":
            data = elf.contents(section)
            yield from [word for (word,) in struct.iter_unpack("<I", data[: len(data) // 4 * 4])]


def _touched(module: bytes) -> Iterator[str]:
    elf = ElfFile.from_bytes(module)
    yield from [each.name for each in imports(elf)]
    yield from [each.name for each in exports(elf)]


def package_version(banner: str) -> str:
    """Return the version of the package that a kernel with that *banner* came in.

    The package may have gone from the archive, or been replaced there: the kernel itself tells.
    """
    found = _PACKAGE_VERSION.search(banner)
    assert found is not None, f"no version of a package of Debian's: {banner}"
    return found[1]


def _text(
    about: Mapping[str, str], cases: Sequence[Case], known: Mapping[str, Sequence[Seen]]
) -> str:
    """Return the document, a line a step, so that two of them can be compared."""
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in about.items()]
    rows: list[str] = []
    for case in cases:
        lines = ",\n".join([json.dumps(each.to_json()) for each in known.get(case.id, ())])
        if lines:
            rows.append(f"{json.dumps(case.id)}: [\n{lines}\n]")
    every = ",\n".join([*parts, '"cases": {\n' + ",\n".join(rows) + "\n}"])
    return "{\n" + every + "\n}\n"
