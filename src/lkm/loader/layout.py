"""Where a module's sections lie in memory, and how much of it the module takes.

Before Linux 6.4 (commit ac3b43283923, "module: replace module_layout with module_memory") a module
has two areas, core and init; in each, sections of one kind follow those of another in five passes,
and with CONFIG_STRICT_MODULE_RWX each kind begins a page. From 6.4 on each kind has an area of its
own. The symbols that stay for kallsyms are copied behind the core, or into the data area.

Presumed are CONFIG_STRICT_MODULE_RWX, CONFIG_KALLSYMS_ALL and pages of 4096 bytes, as Debian's
amd64 kernels have them.
Source: kernel/module/main.c, layout_sections; kernel/module/kallsyms.c, layout_symtab.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lkm.elf.constants import SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHN_UNDEF
from lkm.elf.file import Section
from lkm.elf.symbols import Symbol
from lkm.loader.facts import ModuleFacts

PAGE = 4096

_PERCPU = ".data..percpu"
_NOT_LOADED = frozenset({".modinfo", "__versions", _PERCPU})
_READ_ONLY_AFTER_INIT = frozenset({".data..ro_after_init", "__jump_table"})
_KALLSYMS_HEAD = 32  # bytes of struct mod_kallsyms
_AREAS = ("text", "rodata", "ro_after_init", "data", "data")


@dataclass(frozen=True, slots=True)
class Area:
    """One piece of memory: *size* bytes, whole pages; *init* is given back once init has run."""

    kind: str
    size: int
    init: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The *areas* that a module takes, in the order in which the kernel allocates them.

    *offsets* maps the index of each section that takes memory to its area's kind, whether that is
    an init area, and the offset in it.
    """

    areas: tuple[Area, ...]
    offsets: dict[int, tuple[str, bool, int]]

    @property
    def size(self) -> int:
        """Return the bytes that ``/proc/modules`` shows once the module is live."""
        return sum(area.size for area in self.areas if not area.init)


def layout(module: ModuleFacts, version: tuple[int, int]) -> Layout:
    """Lay *module* out as a kernel of that *version* (6, 1) does."""
    if version >= (6, 4):
        return _separate_areas(module)
    return _two_areas(module)


def _two_areas(module: ModuleFacts) -> Layout:
    taken = _loaded_sections(module)
    offsets: dict[int, tuple[str, bool, int]] = {}
    sizes = {False: 0, True: 0}
    for init in (False, True):
        size = 0
        for number, passed in enumerate(_passes(taken, init=init)):
            for section in passed:
                start = _aligned(size, section.addralign)
                offsets[section.index] = ("core", init, start)
                size = start + section.size
            if number != 3 and not (init and number == 2):
                size = _aligned(size, PAGE)
        sizes[init] = size
    core = _aligned(sizes[False], 8) + _kept_bytes(module, taken)
    init_size = _init_tables(module, sizes[True])
    return Layout(
        (Area("core", _aligned(core, PAGE)), Area("core", _aligned(init_size, PAGE), init=True)),
        offsets,
    )


def _separate_areas(module: ModuleFacts) -> Layout:
    taken = _loaded_sections(module)
    offsets: dict[int, tuple[str, bool, int]] = {}
    sizes: dict[tuple[str, bool], int] = {}
    for init in (False, True):
        for kind, passed in zip(_AREAS, _passes(taken, init=init), strict=True):
            # Init data that turns read-only has no area of its own.
            area = ("data" if init and kind == "ro_after_init" else kind, init)
            size = sizes.setdefault(area, 0)
            for section in passed:
                start = _aligned(size, section.addralign)
                offsets[section.index] = (*area, start)
                size = start + section.size
            sizes[area] = size
    data = sizes["data", False]
    sizes["data", False] = _aligned(data, 8) + _kept_bytes(module, taken)
    sizes["data", True] = _init_tables(module, sizes["data", True])
    return Layout(
        tuple(
            [Area(kind, _aligned(size, PAGE), init) for (kind, init), size in sizes.items() if size]
        ),
        offsets,
    )


def _loaded_sections(module: ModuleFacts) -> tuple[Section, ...]:
    """Return the sections that take memory. With CRCs to be ignored ``__versions`` does, too."""
    left_out = _NOT_LOADED - {"__versions"} if module.flags & 1 else _NOT_LOADED
    cleared: set[str] = set()
    taken: list[Section] = []
    for section in module.sections[1:]:
        if not section.flags & SHF_ALLOC:
            continue
        # The loader clears the flag of the first section of such a name only.
        if section.name in left_out and section.name not in cleared:
            cleared.add(section.name)
            continue
        taken.append(section)
    return tuple(taken)


def _passes(taken: tuple[Section, ...], *, init: bool) -> Iterator[list[Section]]:
    rest = [section for section in taken if section.name.startswith(".init") == init]
    for number in range(5):
        chosen = [section for section in rest if _belongs(section, number)]
        rest = [section for section in rest if not _belongs(section, number)]
        yield chosen


def _belongs(section: Section, number: int) -> bool:
    if number == 0:
        return bool(section.flags & SHF_EXECINSTR)
    if number == 1:
        return not section.flags & SHF_WRITE
    if number == 2:
        return section.name in _READ_ONLY_AFTER_INIT
    return number == 4 or bool(section.flags & SHF_WRITE)


def kept_symbols(module: ModuleFacts, taken: tuple[Section, ...]) -> tuple[Symbol, ...]:
    """Return the symbols that stay when init has run: those of sections that stay.

    The nameless one of index 0 always does; a livepatch module keeps all.
    """
    if "livepatch" in module.modinfo:
        return module.symbols
    stay = {section.index for section in taken if not section.name.startswith(".init")}
    stay |= {section.index for section in module.sections[1:] if section.name == _PERCPU}
    return module.symbols[:1] + tuple(
        [
            symbol
            for symbol in module.symbols[1:]
            if symbol.name and symbol.section_index != SHN_UNDEF and symbol.section_index in stay
        ]
    )


def _kept_bytes(module: ModuleFacts, taken: tuple[Section, ...]) -> int:
    """Return the bytes of the kept symbols: entries, names, and a byte for the type of each."""
    kept = kept_symbols(module, taken)
    names = sum([len(symbol.name.encode("utf-8", "surrogateescape")) + 1 for symbol in kept])
    return (24 if module.is_64bit else 16) * len(kept) + names + len(kept)


def _init_tables(module: ModuleFacts, size: int) -> int:
    """Return *size* with the whole symbol table, its names and the types behind it."""
    size = _aligned(size, module.symbol_table.addralign) + module.symbol_table.size
    size = _aligned(size, module.string_table.addralign) + module.string_table.size
    return _aligned(size, 8) + _KALLSYMS_HEAD + len(module.symbols)


def _aligned(size: int, alignment: int) -> int:
    return size if alignment < 2 else (size + alignment - 1) // alignment * alignment
