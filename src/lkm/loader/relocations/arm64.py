"""How an arm64 kernel applies a module's relocations.

S is the symbol's address, A the addend, P the place: a value is S + A (absolute), S + A - P
(relative), or the distance of the pages of 4096 bytes that S + A and P are in. What is at the place
is not looked at. A branch that does not reach goes by the tables of jumps (``arm64_plts``). Where
kernel and modules lie differs from boot to boot; they are near to each other.

Source: arch/arm64/kernel/module.c, apply_relocate_add, and module-plts.c, module_emit_plt_entry;
the ELF ABI of the Arm 64-bit architecture.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lkm.elf.constants import SHF_EXECINSTR
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import Finding
from lkm.loader.releases import PLTS_ALWAYS
from lkm.loader.relocations.arm64_plts import CALL26, JUMP26
from lkm.loader.relocations.columns import LOW
from lkm.loader.relocations.results import Memory, doubt, outside, refused, signed, where
from lkm.loader.relocations.tables import Entry, Linked, Span, Table, Value

NONE = frozenset({0, 256})
"""The types that write nothing."""

_START = -(1 << 47)  # of the modules' memory, where addresses have 48 bits
_NEAR = (1 << 31) - (1 << 28)
_ELSEWHERE = (_START - _NEAR, _START + _NEAR)
_COPIED = (_START, -(1 << 40))


class Kind(enum.Enum):
    """What a value is reckoned from."""

    ABSOLUTE = "S + A"
    RELATIVE = "S + A - P"
    PAGES = "Page(S + A) - Page(P)"


class Rule(NamedTuple):
    """One type: what it writes, *width* bytes of it, and the values that fit, None for any."""

    kind: Kind
    width: int = 4
    fitting: tuple[int, int] | None = None


def _bits(count: int, shift: int = 0) -> tuple[int, int]:
    """Return the range of a signed number of so many bits, shifted to the left."""
    return -(1 << (count - 1 + shift)), (1 << (count - 1 + shift)) - 1


def _unsigned(count: int) -> tuple[int, int]:
    return 0, (1 << count) - 1


_ABSOLUTE, _RELATIVE, _PAGES = Kind.ABSOLUTE, Kind.RELATIVE, Kind.PAGES

RULES: Mapping[int, Rule] = {
    257: Rule(_ABSOLUTE, 8),  # ABS64
    258: Rule(_ABSOLUTE, 4, _unsigned(32)),
    259: Rule(_ABSOLUTE, 2, _unsigned(16)),
    260: Rule(_RELATIVE, 8),  # PREL64
    261: Rule(_RELATIVE, 4, _bits(32)),
    262: Rule(_RELATIVE, 2, _bits(16)),
    263: Rule(_ABSOLUTE, 4, _unsigned(16)),  # MOVW_UABS_G0, G0_NC, G1, ...
    264: Rule(_ABSOLUTE),
    265: Rule(_ABSOLUTE, 4, _unsigned(32)),
    266: Rule(_ABSOLUTE),
    267: Rule(_ABSOLUTE, 4, _unsigned(48)),
    268: Rule(_ABSOLUTE),
    269: Rule(_ABSOLUTE),
    270: Rule(_ABSOLUTE, 4, _bits(17)),  # MOVW_SABS_G0: 16 bits, the sign by another instruction
    271: Rule(_ABSOLUTE, 4, _bits(33)),
    272: Rule(_ABSOLUTE, 4, _bits(49)),
    273: Rule(_RELATIVE, 4, _bits(19, 2)),  # LD_PREL_LO19
    274: Rule(_RELATIVE, 4, _bits(21)),  # ADR_PREL_LO21
    275: Rule(_PAGES, 4, _bits(21, 12)),  # ADR_PREL_PG_HI21, and the same without a check
    276: Rule(_PAGES),
    277: Rule(_ABSOLUTE),  # ADD_ABS_LO12_NC, LDST8_ABS_LO12_NC
    278: Rule(_ABSOLUTE),
    279: Rule(_RELATIVE, 4, _bits(14, 2)),  # TSTBR14
    280: Rule(_RELATIVE, 4, _bits(19, 2)),  # CONDBR19
    JUMP26: Rule(_RELATIVE, 4, _bits(26, 2)),
    CALL26: Rule(_RELATIVE, 4, _bits(26, 2)),
    284: Rule(_ABSOLUTE),  # LDST16_ABS_LO12_NC, LDST32, LDST64
    285: Rule(_ABSOLUTE),
    286: Rule(_ABSOLUTE),
    287: Rule(_RELATIVE, 4, _bits(17)),  # MOVW_PREL_G0, G0_NC, G1, ...
    288: Rule(_RELATIVE),
    289: Rule(_RELATIVE, 4, _bits(33)),
    290: Rule(_RELATIVE),
    291: Rule(_RELATIVE, 4, _bits(49)),
    292: Rule(_RELATIVE),
    293: Rule(_RELATIVE),
    299: Rule(_ABSOLUTE),  # LDST128_ABS_LO12_NC
}
"""The types that a kernel knows."""

_PAGE = 4096


class Arm64:
    """Applies the relocations of *module* as *kernel* does."""

    def __init__(self, module: ModuleFacts, kernel: KernelFacts) -> None:
        self._module = module
        self._name = module.name
        self._has_plts = kernel.options.arm64_module_plts or kernel.has(PLTS_ALWAYS)
        self._prefix = "Modules: " if kernel.has(PLTS_ALWAYS) else ""
        self._linked = Linked(module, kernel, elsewhere=_ELSEWHERE, copied=_COPIED, floating=True)

    def settled(self, table: Table) -> bool:
        """Tell whether all of *table* can be applied, seen without going through it one by one.

        False says nothing: then each has to be applied.
        """
        offsets, infos, addends = table.columns
        distinct = set(infos)
        types = {info & LOW for info in distinct}
        if not types:
            return True
        if not types <= RULES.keys() or max(distinct) >> 32 >= self._linked.count:
            return False
        # As wide as any: one that ends the section is looked at by itself.
        if max(offsets) + max(RULES[each].width for each in types) > table.target.size:
            return False
        start = signed(table.address)
        places = (start, start + table.target.size)
        least, most = min(addends), max(addends)
        return all(
            self._reaches(info, table)
            for info in distinct
            if not _fits(RULES[info & LOW], self._linked.value(info >> 32), (least, most), places)
        )

    def apply(self, entry: Entry, table: Table, _memory: Memory) -> Sequence[Finding]:
        """Look at what *entry* asks for; nothing depends on what is written."""
        offset, kind, symbol, addend = entry
        if symbol >= self._linked.count:
            return (outside(entry, table, f"names symbol {symbol}, which is not there"),)
        if kind in NONE:
            return ()
        rule = RULES.get(kind)
        if rule is None:
            text = f"{self._prefix}module {self._name}: unsupported RELA relocation: {kind}"
            return (refused(self._name, f"{where(entry, table)} is of an unknown type", text),)
        if offset + rule.width > table.target.size:
            return (outside(entry, table, "writes behind the section's end"),)
        place = signed(table.address + offset)
        value = self._linked.value(symbol)
        fits = _fits(rule, value, (addend, addend), (place, place))
        if fits or self._reaches(symbol << 32 | kind, table):
            return ()
        return (self._unfit(entry, table, value, known=fits is not None),)

    def _unfit(self, entry: Entry, table: Table, value: Value, *, known: bool) -> Finding:
        """Return what comes of a value that has no room, or is not *known* to have it."""
        if not known and isinstance(value, Span):
            return doubt(f"{where(entry, table)}: the address of {value.name} is not known")
        if entry.type in {JUMP26, CALL26} and self._has_plts:
            return doubt(f"{where(entry, table)} needs a jump that no room was made for")
        shown = _shown(value, entry.addend)
        text = f"module {self._name}: overflow in relocation type {entry.type} val {shown}"
        evidence = f"{where(entry, table)} has no room for its value"
        return refused(self._name, evidence, self._prefix + text)

    def _reaches(self, info: int, table: Table) -> bool:
        """Tell whether a branch gets there by a table of jumps, which has room for it.

        Without such tables modules lie so near to the kernel that each branch reaches it.
        """
        if info & LOW not in {JUMP26, CALL26}:
            return False
        if not self._has_plts:
            return isinstance(self._linked.value(info >> 32), Span)
        leads_out = self._module.symbols[info >> 32].section_index != table.target.index
        return leads_out and bool(table.target.flags & SHF_EXECINSTR)


def _fits(
    rule: Rule, value: Value, addends: tuple[int, int], places: tuple[int, int]
) -> bool | None:
    """Tell whether *rule* has room for *value* with any of *addends* (least, most) at any place.

    None where one has and another has not.
    """
    if rule.fitting is None:
        return True
    if isinstance(value, int):
        low = high = signed(value)
    else:
        low, high = value.low, value.high
    low, high = low + addends[0], high + addends[1]
    if rule.kind is _PAGES:
        low, high = low & -_PAGE, high & -_PAGE
        places = places[0] & -_PAGE, places[1] & -_PAGE
    if rule.kind is not _ABSOLUTE:
        low, high = low - places[1], high - places[0]
    least, most = rule.fitting
    if least <= low and high <= most:
        return True
    return None if low <= most and high >= least else False


def _shown(value: Value, addend: int) -> str:
    return "(not known)" if isinstance(value, Span) else f"{(value + addend) % (1 << 64):x}"
