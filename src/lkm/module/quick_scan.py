"""The facts of ``lkm.module.scan`` for the commonest of all module files, in a third less time.

Those are the files that ``lkm.module.quick_elf`` knows; of others the general way tells. depmod
spends most of its time in here, so a file is read in few system calls, without an object for each
section, and bounds are checked once.
"""

from __future__ import annotations

import os
from itertools import chain
from struct import Struct

from lkm.module.modinfo import excess
from lkm.module.quick_elf import OPEN_FLAGS, QuickElf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.module.scanned import Facts, Identity

_VERSION_NAMES = Struct("8x56s").iter_unpack
_SYMBOL, _VERSION, _SPARC = 24, 64, (2, 18, 43)
_CRC_PREFIX, _END = b"__crc_", b"\0"
_LONGEST_NAME, _SHARED = 4096, 1 << 16  # as in lkm.module.scan
# More symbols than any module has; they may share one long name, so the general way counts bytes.
_MOST_SYMBOLS = 4096


def quick_facts(path: str) -> tuple[Identity, Facts] | None:
    """Return what the module file at *path* says, and which state of it that was.

    None where another way of reading is needed.
    """
    try:
        file = os.open(path, OPEN_FLAGS)
    except OSError:
        return None
    try:
        elf = QuickElf(file)
        return elf.identity, _facts(elf)
    except (OSError, ValueError):
        return None  # not what it claims to be: the general way says what is wrong
    finally:
        os.close(file)


def _facts(elf: QuickElf) -> Facts:
    if elf.machine in _SPARC:
        raise ValueError  # it has symbols that are registers
    symbols, strings, first_global = elf.symbols()
    needs = _undefined(symbols, strings, first_global)
    exports = _exports(symbols, strings)
    if sum(map(len, needs)) + sum(map(len, exports)) > len(strings) + _SHARED:
        raise ValueError  # names that overlap: the general way sees how far that goes
    if not exports:
        named = elf.contents(b"__ksymtab_strings\0") or b""
        if named.count(_END) > _MOST_SYMBOLS:
            raise ValueError
        exports = [name for name in named.split(_END) if name]
    needs += _only_in(elf.contents(b"__versions\0") or b"", needs)
    modinfo = elf.contents(b".modinfo\0") or b""
    if excess(modinfo):
        raise ValueError
    return modinfo, _END.join(exports), _END.join(needs), (), ()


def _undefined(symbols: bytes, strings: bytes, first_global: int) -> list[bytes]:
    if len(symbols) % _SYMBOL:
        raise ValueError
    columns = memoryview(symbols)
    sections = columns.cast("H")[3 :: _SYMBOL // 2]
    # Two thirds of the symbols are local, and not one of those is undefined, save in a file that
    # somebody has tampered with. (Zeros that are halves of two numbers do no harm here.)
    if b"\0\0" in sections[1:first_global].tobytes():
        first_global = 1
    starts = columns.cast("I")[first_global * 6 :: _SYMBOL // 4].tolist()
    kinds = sections[first_global:].tolist()
    if kinds.count(0) > _MOST_SYMBOLS:
        raise ValueError
    find = strings.index
    return [
        strings[at : find(_END, at, at + _LONGEST_NAME)]
        for at, section in zip(starts, kinds, strict=True)
        if not section and at
    ]


def _exports(symbols: bytes, strings: bytes) -> list[bytes]:
    at = strings.find(_CRC_PREFIX)
    if at < 0:
        return []
    starts = set()
    while at >= 0:
        starts.add(at)
        at = strings.find(_CRC_PREFIX, at + 1)
    named = [at for at in memoryview(symbols).cast("I")[6 :: _SYMBOL // 4].tolist() if at in starts]
    if len(named) > _MOST_SYMBOLS:
        raise ValueError
    find, skip = strings.index, len(_CRC_PREFIX)
    return [strings[at + skip : find(_END, at, at + _LONGEST_NAME)] for at in named]


def _only_in(versions: bytes, needs: list[bytes]) -> list[bytes]:
    """Return the names in ``__versions`` that are not among *needs*, in its order."""
    if len(versions) % _VERSION:
        raise ValueError
    # Compared as they stand there, padding and all: that takes no step per name.
    known = {name.ljust(56, _END) for name in needs}
    rest = [name for name in chain.from_iterable(_VERSION_NAMES(versions)) if name not in known]
    names = dict.fromkeys([name.partition(_END)[0] for name in rest])
    known_names = set(needs) if names else needs
    return [name for name in names if name not in known_names]
