"""Which algorithms a module's init function asks the crypto API for.

Its relocations tell: those of the init function, and of the functions of the module that it
calls. Of Debian's modules for 6.1 these ask: libcrc32c (crc32c), jitterentropy_rng
(sha3-256-generic), ppp_mppe (sha1), tcrypt (all of them) and ubifs (its table of compressors tells
which); crc-t10dif and crc64-rocksoft do, too, and go on without an answer.

Source: include/crypto/hash.h and the like; the psABIs of x86-64 and AArch64, relocation types.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lkm.elf.constants import (
    EM_AARCH64,
    EM_MIPS,
    EM_X86_64,
    SHN_UNDEF,
    SHT_RELA,
    STT_FUNC,
)
from lkm.elf.file import ElfFile, Section
from lkm.elf.relocations import Relocation, read_relocations, relocation_sections
from lkm.elf.strings import StringTable
from lkm.loader.facts import ModuleFacts
from lkm.loader.relocations.columns import LOW, Columns, read_columns

INIT = "init_module"
"""The name of the init function, whatever its source calls it."""

_ASKING = ("crypto_alloc_", "crypto_has_")

# Without an answer they compute themselves: lib/crc-t10dif.c and lib/crc64-rocksoft.c.
_CONTENT_WITHOUT = frozenset({"crc_t10dif", "crc64_rocksoft"})

# The types of relocation that a call has. Of what another one points at only the address is taken.
_CALLS = {EM_X86_64: frozenset({2, 4}), EM_AARCH64: frozenset({282, 283})}
_CALL = b"\xe8"  # on x86-64, before the distance
# What lies deeper is mostly asked for only once a device is there.
_DEEPEST = 2

# So many functions, and bytes and relocations in them, are looked at; real ones have far fewer.
_MOST_FUNCTIONS = 256
_MOST_LOOKED_AT = 1 << 18

# So many relocations and bytes before a call are those of its arguments.
_ARGUMENTS = 4
_ARGUMENTS_WITHIN = 64
_SHF_STRINGS = 0x20


@dataclass(frozen=True, slots=True)
class _Code:
    """A piece of a section: a function."""

    section: int
    start: int
    stop: int


def asked_algorithms(module: ModuleFacts) -> tuple[str, ...]:
    """Return the algorithms that the init function of *module* cannot do without, in order.

    Each is the text loaded before the call, else what a soft dependency tells; empty where neither
    does. Raises ``FormatError`` for relocations that lead nowhere.
    """
    asks = any(
        symbol.section_index == SHN_UNDEF and symbol.name.startswith(_ASKING)
        for symbol in module.symbols
    )
    if not asks or module.name in _CONTENT_WITHOUT:
        return ()
    found = dict.fromkeys(_Reader(module).texts())
    if "" in found:
        del found[""]
        found.update(dict.fromkeys(_softdeps(module)))
        return tuple(found) or ("",)
    return tuple(found)


class _Relocations:
    """The relocations of one section, by their offsets; only those asked for are made values."""

    def __init__(self, elf: ElfFile, section: Section) -> None:
        self._others: list[Relocation] = []
        self._columns: list[Columns] = []
        for table in relocation_sections(elf, section):
            columns = read_columns(elf, table) if elf.is_64bit and elf.machine != EM_MIPS else None
            if columns is not None and table.type == SHT_RELA and _ascend(columns.offsets):
                self._columns.append(columns)
            else:
                self._others += read_relocations(elf, table)
        self._others.sort(key=_offset)

    def between(self, start: int, stop: int) -> list[Relocation]:
        """Return those of offsets from *start* to before *stop*, in that order."""
        first = bisect_left(self._others, start, key=_offset)
        found = self._others[first : bisect_left(self._others, stop, key=_offset)]
        for offsets, infos, addends in self._columns:
            low, high = bisect_left(offsets, start), bisect_left(offsets, stop)
            found += [
                Relocation(offsets[at], infos[at] & LOW, infos[at] >> 32, addends[at])
                for at in range(low, high)
            ]
        return sorted(found, key=_offset)


def _ascend(offsets: Sequence[int]) -> bool:
    return list(offsets) == sorted(offsets)


class _Reader:
    """A module whose init function is followed through its calls."""

    def __init__(self, module: ModuleFacts) -> None:
        self._module = module
        self._relocations: dict[int, _Relocations] = {}
        self._functions: dict[tuple[int, int], _Code] = {}
        self._left = _MOST_LOOKED_AT
        for symbol in module.symbols:
            place = (symbol.section_index, symbol.value)
            if symbol.type == STT_FUNC and place not in self._functions:
                self._functions[place] = _Code(*place, symbol.value + symbol.size)

    def texts(self) -> Iterator[str]:
        """Yield the name that each call has asked for, empty where it is not found."""
        module = self._module
        todo = [(code, 0) for code in self._init()]
        seen: set[_Code] = set()
        while todo:
            code, depth = todo.pop()
            if code in seen:
                continue
            seen.add(code)
            relocations = self._relocations_in(code)
            self._left -= len(relocations) + min(code.stop, module.sections[code.section].size)
            self._left += min(code.start, module.sections[code.section].size)
            if len(seen) > _MOST_FUNCTIONS or self._left < 0:
                yield ""  # there is more than is looked at
                return
            for at, relocation in enumerate(relocations):
                symbol = module.symbols[relocation.symbol_index]
                if symbol.section_index == SHN_UNDEF and symbol.name.startswith(_ASKING):
                    yield self._text_before(relocations, at)
                called = self._called(relocation) if depth < _DEEPEST else None
                if called is not None:
                    todo.append((called, depth + 1))
            if depth < _DEEPEST:
                todo += [(called, depth + 1) for called in self._calls_inside(code, relocations)]

    def _init(self) -> list[_Code]:
        """Return the init function; the whole of its section where its size is not told."""
        found = [symbol for symbol in self._module.symbols if symbol.name == INIT]
        return [
            _Code(
                symbol.section_index,
                symbol.value,
                symbol.value + symbol.size
                if symbol.size
                else self._module.sections[symbol.section_index].size,
            )
            for symbol in found[:1]
            if 0 < symbol.section_index < len(self._module.sections)
        ]

    def _relocations_in(self, code: _Code) -> list[Relocation]:
        if code.section not in self._relocations:
            section = self._module.sections[code.section]
            self._relocations[code.section] = _Relocations(self._module.elf, section)
        count = len(self._module.symbols)
        found = self._relocations[code.section].between(code.start, code.stop)
        return [each for each in found if each.symbol_index < count]

    def _called(self, relocation: Relocation) -> _Code | None:
        """Return the function of the module that is called there, None for what is no call."""
        module = self._module
        if relocation.type not in _CALLS.get(module.elf.machine, frozenset()):
            return None
        symbol = module.symbols[relocation.symbol_index]
        # On x86-64 the distance is counted from four bytes further on, the next instruction.
        behind = 4 if module.elf.machine == EM_X86_64 else 0
        place = (symbol.section_index, symbol.value + relocation.addend + behind)
        code = self._functions.get(place)
        return code if code is not None and 0 < code.section < len(module.sections) else None

    def _calls_inside(self, code: _Code, relocations: Sequence[Relocation]) -> Iterator[_Code]:
        """Yield the functions of the same section that are called, which needs no relocation."""
        module = self._module
        relocated = {relocation.offset for relocation in relocations}
        text = module.elf.contents(module.sections[code.section])[code.start : code.stop]
        if module.elf.machine != EM_X86_64:
            return
        at = text.find(_CALL)
        while 0 <= at <= len(text) - 5:
            if code.start + at + 1 not in relocated:
                distance = int.from_bytes(text[at + 1 : at + 5], "little", signed=True)
                called = self._functions.get((code.section, code.start + at + 5 + distance))
                if called is not None:
                    yield called
            at = text.find(_CALL, at + 1)

    def _text_before(self, relocations: Sequence[Relocation], at: int) -> str:
        """Return the text whose address is loaded last before the call at ``relocations[at]``."""
        module = self._module
        for relocation in reversed(relocations[max(at - _ARGUMENTS, 0) : at]):
            symbol = module.symbols[relocation.symbol_index]
            index = symbol.section_index
            near = relocations[at].offset - relocation.offset <= _ARGUMENTS_WITHIN
            if not near or not 0 < index < len(module.sections):
                continue
            section = module.sections[index]
            if section.flags & _SHF_STRINGS:
                texts = StringTable(module.elf.contents(section), module.elf.what)
                return texts.text(symbol.value + relocation.addend)
        return ""


def _offset(relocation: Relocation) -> int:
    return relocation.offset


def _softdeps(module: ModuleFacts) -> list[str]:
    _before, _pre, words = module.modinfo.get("softdep", "").partition("pre:")
    return words.partition("post:")[0].split()
