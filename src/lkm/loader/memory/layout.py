"""Where a module's sections lie in memory, and how much of it the module takes.

Before Linux 6.4 (commit ac3b43283923, "module: replace module_layout with module_memory") a module
has two areas, core and init; in each, sections of one kind follow those of another in five passes,
and with CONFIG_STRICT_MODULE_RWX each kind begins a page. From 6.4 on each kind has an area of its
own. The symbols that stay for kallsyms are copied behind the core, or into the data area; the whole
table, with its names and types, lies behind the init sections until init has run.

Pages are of 4096 bytes. Of what a machine adds of its own arm64's tables of jumps are laid out.
Source: kernel/module/main.c, layout_sections; kernel/module/kallsyms.c, layout_symtab.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lkm.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHN_UNDEF
from lkm.elf.file import Section
from lkm.elf.symbols import Symbol
from lkm.loader.facts import ModuleFacts
from lkm.loader.options import DEBIAN, KernelOptions
from lkm.loader.releases import EXTENDED_VERSIONS, SEPARATE_AREAS, Version
from lkm.loader.relocations.arm64_plts import in_init, sized_sections

PAGE = 4096

Place = tuple[str, bool, int]
"""An area's kind, whether it is an init area, and an offset in it."""

_PERCPU = ".data..percpu"
_NOT_LOADED = frozenset({".modinfo", "__versions", _PERCPU})
_NOT_LOADED_NOW = _NOT_LOADED | {"__version_ext_crcs", "__version_ext_names"}
_READ_ONLY_AFTER_INIT = frozenset({".data..ro_after_init", "__jump_table"})
_AREAS = ("text", "rodata", "ro_after_init", "data", "data")
_ALLOCATED = ("text", "data", "rodata", "ro_after_init")  # enum mod_mem_type


@dataclass(frozen=True, slots=True)
class Area:
    """One piece of memory of *size* bytes; *init* is given back once init has run."""

    kind: str
    size: int
    init: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The *areas* that a module takes, in the order in which the kernel allocates them.

    *offsets* maps the index of each section that takes memory to its place, those of the symbol
    table and its names among them. *percpu* is the section of per-CPU data, which lies elsewhere.
    *kept* are the symbols that stay when init has run.
    """

    areas: tuple[Area, ...]
    offsets: dict[int, Place]
    percpu: Section | None
    kept: tuple[Symbol, ...]

    @property
    def size(self) -> int:
        """Return the bytes that ``/proc/modules`` shows once the module is live."""
        return sum([area.size for area in self.areas if not area.init])

    @property
    def init_size(self) -> int:
        """Return the bytes that the module has besides until its init has run."""
        return sum([area.size for area in self.areas if area.init])


def layout(module: ModuleFacts, version: Version, options: KernelOptions = DEBIAN) -> Layout:
    """Lay *module* out as a kernel of that *version* (6, 1) with those *options* does."""
    plan = _Plan(module, version, options)
    separate = SEPARATE_AREAS.in_release(version)
    areas = _separate_areas(plan) if separate else _two_areas(plan)
    return Layout(areas=areas, offsets=plan.offsets, percpu=plan.percpu, kept=plan.kept)


class _Plan:
    """A module on its way into memory: what it has, and where it lies so far."""

    def __init__(self, module: ModuleFacts, version: Version, options: KernelOptions) -> None:
        self.module = module
        self.options = options
        sections = sized_sections(module.elf, module.symbols, version, options)
        # A kernel for one processor knows no per-CPU data: a section of that name is as any other.
        self.percpu = None if options.broken_on_smp else _first_percpu(module)
        self.taken = _loaded_sections(module, sections, version, per_cpu=not options.broken_on_smp)
        self.kept = self._kept_symbols() if options.kallsyms else ()
        self.offsets: dict[int, Place] = {}

    def is_init(self, section: Section) -> bool:
        """Tell whether *section* is given back after init: what never exits needs no exit code."""
        return in_init(section.name, self.options)

    def passes(self, *, init: bool) -> Iterator[list[Section]]:
        """Yield the sections of each of the five passes, each section in one only."""
        rest = [section for section in self.taken if self.is_init(section) == init]
        for number in range(5):
            yield [section for section in rest if _belongs(section, number)]
            rest = [section for section in rest if not _belongs(section, number)]

    def put(self, section: Section, kind: str, size: int, *, init: bool) -> int:
        """Place *section* behind *size* bytes of an area; return what the area's size is then."""
        start = aligned(size, section.addralign)
        self.offsets[section.index] = (kind, init, start)
        return start + section.size

    def with_kept(self, size: int) -> int:
        """Return *size* with the kept symbols behind it: entries, names, a byte each for types."""
        if not self.options.kallsyms:
            return size
        names = sum([len(symbol.name.encode("utf-8", "surrogateescape")) for symbol in self.kept])
        entry = 24 if self.module.is_64bit else 16
        return aligned(size, 8) + (entry + 2) * len(self.kept) + names

    def with_tables(self, kind: str, size: int) -> int:
        """Return *size* of an init area with the whole symbol table, its names and types."""
        if not self.options.kallsyms:
            return size
        size = self.put(self.module.symbol_table, kind, size, init=True)
        size = self.put(self.module.string_table, kind, size, init=True)
        head = 32 if self.module.is_64bit else 16  # struct mod_kallsyms
        return aligned(size, 8) + head + len(self.module.symbols)

    def _kept_symbols(self) -> tuple[Symbol, ...]:
        """Return the symbols of sections that stay: without KALLSYMS_ALL, of code that does.

        The nameless one of index 0 always stays; a livepatch module keeps all.
        """
        if "livepatch" in self.module.modinfo:
            return self.module.symbols
        stay = {section.index for section in self.taken if not self.is_init(section)}
        if not self.options.kallsyms_all:
            code = {each.index for each in self.taken if each.flags & SHF_EXECINSTR}
            stay &= code
        elif self.percpu is not None:
            stay.add(self.percpu.index)
        return self.module.symbols[:1] + tuple(
            [
                symbol
                for symbol in self.module.symbols[1:]
                if symbol.section_index in stay
                and symbol.name
                and symbol.section_index != SHN_UNDEF
            ]
        )


def _two_areas(plan: _Plan) -> tuple[Area, ...]:
    strict = plan.options.strict_module_rwx
    sizes = {False: 0, True: 0}
    for init in (False, True):
        size = 0
        for number, passed in enumerate(plan.passes(init=init)):
            for section in passed:
                size = plan.put(section, "core", size, init=init)
            if strict and number != 3 and not (init and number == 2):
                size = aligned(size, PAGE)
        sizes[init] = size
    core, whole = plan.with_kept(sizes[False]), plan.with_tables("core", sizes[True])
    if strict:
        core, whole = aligned(core, PAGE), aligned(whole, PAGE)
    return Area("core", core), Area("core", whole, init=True)


def _separate_areas(plan: _Plan) -> tuple[Area, ...]:
    sizes: dict[tuple[str, bool], int] = {}
    for init in (False, True):
        for kind, passed in zip(_AREAS, plan.passes(init=init), strict=True):
            # Init data that turns read-only has no area of its own.
            own = "data" if init and kind == "ro_after_init" else kind
            size = sizes.setdefault((own, init), 0)
            for section in passed:
                size = plan.put(section, own, size, init=init)
            sizes[own, init] = size
    sizes["data", False] = plan.with_kept(sizes["data", False])
    sizes["data", True] = plan.with_tables("data", sizes["data", True])
    order = [(kind, init) for init in (False, True) for kind in _ALLOCATED]
    return tuple(
        [
            Area(kind, aligned(size, PAGE), init)
            for kind, init in order
            if (size := sizes.get((kind, init), 0))
        ]
    )


def _loaded_sections(
    module: ModuleFacts, sections: Sequence[Section], version: Version, *, per_cpu: bool
) -> tuple[Section, ...]:
    """Return the sections that take memory. With CRCs to be ignored ``__versions`` does, too."""
    left_out = _NOT_LOADED - {"__versions"} if module.flags & 1 else _NOT_LOADED
    if EXTENDED_VERSIONS.in_release(version):
        left_out = _NOT_LOADED_NOW if not module.flags & 1 else left_out
    left_out = left_out if per_cpu else left_out - {_PERCPU}
    cleared: set[str] = set()
    taken: list[Section] = []
    for section in sections[1:]:
        if not section.flags & SHF_ALLOC:
            continue
        # The loader clears the flag of the first section of such a name only.
        if section.name in left_out and section.name not in cleared:
            cleared.add(section.name)
            continue
        taken.append(section)
    return tuple(taken)


def _first_percpu(module: ModuleFacts) -> Section | None:
    named = [each for each in module.sections[1:] if each.name == _PERCPU]
    return next((section for section in named if section.flags & SHF_ALLOC), None)


def _belongs(section: Section, number: int) -> bool:
    if number == 0:
        return bool(section.flags & SHF_EXECINSTR)
    if number == 1:
        return not section.flags & SHF_WRITE
    if number == 2:
        return section.name in _READ_ONLY_AFTER_INIT
    return number == 4 or bool(section.flags & SHF_WRITE)


def aligned(size: int, alignment: int) -> int:
    """Return the next multiple of *alignment* from *size* on; 0 and 1 are no alignment."""
    return size if alignment < 2 else (size + alignment - 1) // alignment * alignment
