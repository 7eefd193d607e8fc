"""Random tables, compared in bulk and by a plain reading of what ``compare`` promises."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

import pytest

from lkm.kallsyms import in_place, shared
from lkm.kallsyms.diff import Diff, Moved, Retyped, compare
from lkm.kallsyms.in_place import columns_in_place
from lkm.kallsyms.shared import without_shared
from lkm.kallsyms.snapshot import load, save
from lkm.kallsyms.table import Symbol, SymbolTable
from tests.kallsyms.tables import as_text_table

Rows = list[Symbol]
Change = Callable[[random.Random, Rows], Rows]
Told = dict[str, tuple[list[Symbol], list[Symbol], list[Moved], list[Retyped]]]

MODULES = ("btrfs", "fat", "x")
BASE = 0xFFFFFFFF81000000


def plainly(before: Rows, after: Rows, *, hidden: bool, fold: bool) -> Told:
    """Return what differs by module, found symbol by symbol."""
    left, news = list(enumerate(before)), list(enumerate(after))
    pairs: list[tuple[int, int]] = []
    for same_place in (True, False):
        for item in list(left):
            for other in news:
                if _alike(item[1], other[1], same_place=same_place, fold=fold):
                    pairs.append((item[0], other[0]))
                    left.remove(item)
                    news.remove(other)
                    break
    told: Told = {}
    for _, symbol in news:
        told.setdefault(symbol.module, ([], [], [], []))[0].append(symbol)
    for _, symbol in left:
        told.setdefault(symbol.module, ([], [], [], []))[1].append(symbol)
    for one, two in sorted(pairs):
        old, new = before[one], after[two]
        if old.address != new.address and not hidden:
            moved = Moved(new.name, new.type, old.address, new.address)
            told.setdefault(new.module, ([], [], [], []))[2].append(moved)
        if old.type != new.type:
            retyped = Retyped(new.name, new.address, old.type, new.type)
            told.setdefault(new.module, ([], [], [], []))[3].append(retyped)
    return told


def _alike(one: Symbol, two: Symbol, *, same_place: bool, fold: bool) -> bool:
    if same_place and (one.address, one.type) != (two.address, two.type):
        return False
    return one.module == two.module and _name(one, fold=fold) == _name(two, fold=fold)


def _name(symbol: Symbol, *, fold: bool) -> str:
    return re.sub(r"\.llvm\.\d+", "", symbol.name) if fold else symbol.name


def told_by(diff: Diff) -> Told:
    return {
        each.module: (list(each.added), list(each.removed), list(each.moved), list(each.retyped))
        for each in diff.modules
    }


def sorted_told(told: Told) -> Told:
    return {
        module: (sorted(each[0]), sorted(each[1]), sorted(each[2]), sorted(each[3]))
        for module, each in told.items()
    }


def counted(told: Told) -> dict[str, list[int]]:
    return {
        module: [len(added), len(removed), len(moved), len(retyped)]
        for module, (added, removed, moved, retyped) in told.items()
    }


def a_table(chance: random.Random) -> Rows:
    """Return symbols of few names: many have the same one, some the same address."""
    rows, address = [], 0
    for _ in range(chance.randrange(4)):
        rows.append(Symbol(address, "A", chance.choice(("cpu", "cpu_b")), ""))
        address += chance.randrange(2) * 64
    address = BASE
    for _ in range(chance.randrange(25)):
        address += chance.choice((0, 16, 16, 4096))
        rows.append(Symbol(address, chance.choice("tTd"), _a_name(chance), ""))
    for number, module in enumerate(chance.sample(MODULES, chance.randrange(4))):
        start = 0xFFFFFFFFC0000000 + (number << 20)
        rows += [
            Symbol(start + 16 * chance.randrange(12), chance.choice("tr"), _a_name(chance), module)
            for _ in range(chance.randrange(1, 12))
        ]
    return rows


def _a_name(chance: random.Random) -> str:
    return f"{chance.choice('abcdefgh')}{chance.choice(('', '', '1', '.llvm.7', '.llvm.8'))}"


def _nothing(_chance: random.Random, rows: Rows) -> Rows:
    return rows


def _scattered(chance: random.Random, rows: Rows) -> Rows:
    found: Rows = []
    for row in rows:
        if chance.random() < 0.9:
            found.append(row)
        if chance.random() < 0.1:
            found.append(row._replace(name=_a_name(chance)))
    return found


def _one_module_less(chance: random.Random, rows: Rows) -> Rows:
    module = chance.choice(MODULES)
    return [row for row in rows if row.module != module]


def _all_moved(chance: random.Random, rows: Rows) -> Rows:
    step = chance.choice((16, 4096, 0x200000, 1 << 28, -16, -(1 << 20)))
    return [
        row._replace(address=row.address + step) if row.address >= BASE else row for row in rows
    ]


def _each_module_moved(chance: random.Random, rows: Rows) -> Rows:
    steps = {module: 4096 * chance.randrange(-2, 3) for module in ("", *MODULES)}
    return [
        row._replace(address=row.address + steps[row.module]) if row.address >= BASE else row
        for row in rows
    ]


def _retyped(chance: random.Random, rows: Rows) -> Rows:
    return [row._replace(type="T") if chance.random() < 0.2 else row for row in rows]


def _hidden(_chance: random.Random, rows: Rows) -> Rows:
    return [row._replace(address=0) for row in rows]


def _shuffled(chance: random.Random, rows: Rows) -> Rows:
    own = [row for row in rows if not row.module]
    return own + chance.sample([row for row in rows if row.module], len(rows) - len(own))


def _another(chance: random.Random, _rows: Rows) -> Rows:
    return a_table(chance)


CHANGES: tuple[Change, ...] = (
    *(_nothing, _scattered, _one_module_less, _all_moved, _each_module_moved, _retyped, _hidden),
    *(_shuffled, _another),
)


def as_saved_table(table: SymbolTable) -> SymbolTable:
    return load(save(table))


FORMS = {"columns": lambda table: table, "text": as_text_table, "saved": as_saved_table}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("impatient", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_what_is_found_in_bulk_is_what_is_found_symbol_by_symbol(
    seed: int, form: str, *, impatient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if impatient:  # as with tables in which much differs, and that are larger than one piece
        monkeypatch.setattr(shared, "_PATIENCE", -1)
        monkeypatch.setattr(in_place, "_PIECE", 100)
    chance = random.Random(seed)
    for _ in range(60):
        before = a_table(chance)
        after = before
        for change in chance.choices(CHANGES, k=chance.randrange(1, 3)):
            after = change(chance, after)
        if chance.random() < 0.5:
            before, after = after, before
        _check(before, after, form, fold=chance.random() < 0.2)


def _check(before: Rows, after: Rows, form: str, *, fold: bool) -> None:
    tables = [SymbolTable.from_symbols(rows) for rows in (before, after)]
    diff = compare(*(FORMS[form](table) for table in tables), fold_llvm=fold)
    told = told_by(diff)
    plain = plainly(before, after, hidden=any(table.hidden for table in tables), fold=fold)

    # Which of two lines that are the same went, nobody can tell; nor, folded, which of two names.
    if fold:
        assert counted(told) == counted(plain)
    elif max([*Counter(before).values(), *Counter(after).values()], default=1) > 1:
        assert sorted_told(told) == sorted_told(plain)
    else:
        assert told == plain
    assert diff.moved == sum(len(each.moved) for each in diff.modules)
    assert diff.before_count == len(before)
    order = dict.fromkeys(["", *(row.module for row in after), *(row.module for row in before)])
    assert [each.module for each in diff.modules] == [each for each in order if each in told]
    for each in diff.modules:
        distances = {moved.after - moved.before for moved in each.moved}
        assert each.shift == (distances.pop() if len(distances) == 1 else None)
        assert each.module_came == (each.module not in {"", *(row.module for row in before)})
        assert each.module_went == (each.module not in {"", *(row.module for row in after)})


@pytest.mark.parametrize("width", [16, 8])
def test_a_text_damaged_anywhere_is_read_in_place_as_line_by_line(width: int) -> None:
    own = "".join([f"{BASE + 64 * row:016x}"[-width:] + f" t {'abcd'[row]}\n" for row in range(4)])
    loaded = "".join([f"{BASE + row:016x}"[-width:] + f" t {'m['[row]}\t[fat]\n" for row in (0, 1)])
    text = (own + loaded).encode()
    moved = text.replace(b"81000", b"93000")
    assert columns_in_place(text, moved) is not None
    chance = random.Random(4)
    for offset, byte in enumerate(text):
        for other in b"\0 \t\nt[]0F\xff" + bytes([chance.randrange(256)]):
            _is_read_as_ever(text[:offset] + bytes([other]) + text[offset + 1 :], text, moved)
        for end in range(offset + 1, min(offset + 2 * width, len(text))):
            swapped = text[end : end + 1] + text[offset + 1 : end] + bytes([byte])
            _is_read_as_ever(text[:offset] + swapped + text[end + 1 :], text, moved)


@pytest.mark.parametrize("names", [(b"", b"b"), (b"b", b"")])
def test_an_empty_name_is_not_read_in_place(names: tuple[bytes, bytes]) -> None:
    text = b"ffffffff81000000 t %b\nffffffff81000040 t %b\n" % names

    assert columns_in_place(text, text.replace(b"81", b"93")) is None


def _is_read_as_ever(damaged: bytes, text: bytes, moved: bytes) -> None:
    for one, two in ((damaged, moved), (text, damaged), (damaged, damaged)):
        found = columns_in_place(one, two)
        if found is not None:
            read = [list(SymbolTable(columns)) for columns in found]
            assert read == [list(SymbolTable.from_text(each)) for each in (one, two)]


def test_of_lines_that_stand_there_several_times_as_many_are_left_as_differ() -> None:
    chance = random.Random(8)
    for _ in range(300):
        one, two = ([chance.choice("abcdefg") for _ in range(6)] for _ in range(2))
        texts = ["".join([line + "\n" for line in lines]).encode() for lines in (one, two)]
        left, added = (text.decode().split() for text in without_shared(*texts))

        assert Counter(left) - Counter(added) == Counter(one) - Counter(two)
        assert Counter(added) - Counter(left) == Counter(two) - Counter(one)


def test_lines_that_came_and_went_twice_do_not_make_up_for_each_other() -> None:
    lines = [b"%016x t " % BASE + bytes([letter]) for letter in b"afgzby"]
    a, f, g, z, b, y = lines
    before = SymbolTable.from_text(b"\n".join([a, f, f, g, z]))
    after = SymbolTable.from_text(b"\n".join([b, f, g, g, y]))

    (changes,) = compare(before, after).modules

    assert [symbol.name for symbol in changes.removed] == ["a", "f", "z"]
    assert [symbol.name for symbol in changes.added] == ["b", "g", "y"]


def test_what_is_told_of_large_tables_is_the_same_from_text_and_columns() -> None:
    chance = random.Random(9)
    rows = [Symbol(BASE + 16 * row, "t", f"f{row % 3000}", "") for row in range(6000)]
    rows += [Symbol((3 << 62) + 16 * row, "t", f"m{row}", f"mod{row // 50}") for row in range(2000)]
    for change in CHANGES[:-2]:
        after = change(chance, rows)
        tables = [SymbolTable.from_symbols(each) for each in (rows, after)]
        told = [told_by(compare(*(make(table) for table in tables))) for make in FORMS.values()]
        assert told[0] == told[1] == told[2]
