from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from lkm.kallsyms.diff import Diff, ModuleChanges, Moved, Retyped, compare
from lkm.kallsyms.table import SymbolTable
from tests.kallsyms.tables import TEXT, a_table, as_text_table

AS_COLUMNS = pytest.param(lambda table: table, id="columns")
AS_TEXT = pytest.param(as_text_table, id="text")
either = pytest.mark.parametrize("form", [AS_COLUMNS, AS_TEXT])
Form = Callable[[SymbolTable], SymbolTable]


def only(diff: Diff) -> ModuleChanges:
    (changes,) = diff.modules
    return changes


def counts(diff: Diff) -> tuple[int, int, int, int]:
    return (diff.added, diff.removed, diff.moved, diff.retyped)


@either
def test_the_same_table_has_no_changes(form: Form) -> None:
    table = SymbolTable.from_text(TEXT, release="6.1")
    diff = compare(form(table), form(table))

    assert diff.modules == ()
    assert (diff.before_count, diff.after_count) == (9, 9)
    assert (diff.before_release, diff.after_release) == ("6.1", "6.1")
    assert not diff.hidden


@either
def test_a_module_that_came_is_told_with_its_symbols(form: Form) -> None:
    before = a_table("81000000 T _text", "c0200000 t fat_init [fat]")
    after = a_table("81000000 T _text", "c0300000 t ext4_x [ext4]", "c0200000 t fat_init [fat]")

    came, went = only(compare(form(before), form(after))), only(compare(form(after), form(before)))

    assert came.module == went.module == "ext4"
    assert (came.module_came, came.module_went) == (True, False)
    assert (went.module_came, went.module_went) == (False, True)
    assert came.added == went.removed == tuple(after)[1:2]
    assert (came.removed, came.moved, came.retyped) == ((), (), ())
    assert (went.added, went.moved, went.retyped) == ((), (), ())


@either
def test_what_moved_and_what_was_retyped_are_told_apart(form: Form) -> None:
    before = a_table("81000000 T a", "81000010 t b", "81000020 d c", "c0000000 t m [fat]")
    after = a_table("81000000 T a", "81000018 t b", "81000020 D c", "c0001000 T m [fat]")

    kernel, fat = compare(form(before), form(after)).modules

    assert kernel.module == ""
    assert kernel.moved == (Moved("b", "t", 0xFFFFFFFF81000010, 0xFFFFFFFF81000018),)
    assert kernel.retyped == (Retyped("c", 0xFFFFFFFF81000020, "d", "D"),)
    assert fat.moved == (Moved("m", "T", 0xFFFFFFFFC0000000, 0xFFFFFFFFC0001000),)
    assert fat.retyped == (Retyped("m", 0xFFFFFFFFC0001000, "t", "T"),)
    assert (fat.module_came, fat.module_went) == (False, False)


@either
def test_one_of_several_with_one_name_that_went_moves_none(form: Form) -> None:
    before = a_table("81000000 t f", "81000010 t f", "81000020 t f")
    after = a_table("81000000 t f", "81000020 t f")

    changes = only(compare(form(before), form(after)))

    assert [symbol.address & 0xFF for symbol in changes.removed] == [0x10]
    assert (changes.moved, changes.added) == ((), ())


@either
def test_one_of_several_that_moved_is_paired_with_what_is_left(form: Form) -> None:
    before = a_table("81000000 t f", "81000010 t f", "81000020 t f")
    after = a_table("81000000 t f", "81000020 t f", "81000080 t f", "81000090 t f")

    changes = only(compare(form(before), form(after)))

    assert [(moved.before & 0xFF, moved.after & 0xFF) for moved in changes.moved] == [(0x10, 0x80)]
    assert [symbol.address & 0xFF for symbol in changes.added] == [0x90]


@either
def test_a_line_that_stands_there_twice_may_come_and_go_once(form: Form) -> None:
    before = a_table("81000000 t f", "81000000 t f", "81000010 t g", "81000020 t h")
    after = a_table("81000000 t f", "81000010 t g", "81000010 t g", "81000028 t h")

    diff = compare(form(before), form(after))

    assert [symbol.name for symbol in only(diff).removed] == ["f"]
    assert [symbol.name for symbol in only(diff).added] == ["g"]
    assert diff.moved == 1


@either
def test_a_kernel_elsewhere_has_moved_as_one(form: Form) -> None:
    before = a_table("81000000 T a", "81000010 t b", "0 A cpu")
    after = a_table("93000000 T a", "93000010 t b", "0 A cpu")

    diff = compare(form(before), form(after))

    assert counts(diff) == (0, 0, 2, 0)
    assert only(diff).shift == 0x12000000


def test_what_moved_by_different_distances_has_no_shift() -> None:
    before, after = a_table("81000000 T a", "81000010 t b"), a_table("81000008 T a", "81000020 t b")

    assert only(compare(before, after)).shift is None
    assert only(compare(before, a_table("81000000 T a"))).shift is None


@either
def test_hidden_addresses_have_not_moved(form: Form) -> None:
    shown = a_table("81000000 T a", "81000010 t b", "c0000000 t m [fat]")
    hidden = a_table("0 T a", "0 t b", "0 t m [fat]", "0 t n [fat]")

    diff = compare(form(shown), form(hidden))

    assert diff.hidden
    assert counts(diff) == (1, 0, 0, 0)
    assert counts(compare(form(hidden), form(shown))) == (0, 1, 0, 0)


@either
def test_hashes_of_clang_are_folded_on_request(form: Form) -> None:
    before = a_table("81000000 t f.llvm.123", "81000010 t g.llvm.5.cold", "81000020 t h.cold")
    after = a_table("81000000 t f.llvm.987", "81000018 t g.llvm.6.cold", "81000020 t h.llvm.1")

    assert counts(compare(form(before), form(after))) == (3, 3, 0, 0)
    folded = compare(form(before), form(after), fold_llvm=True)
    assert counts(folded) == (1, 1, 1, 0)
    assert only(folded).moved[0].name == "g.llvm.6.cold"


def test_modules_come_in_the_order_of_the_table_the_kernel_first() -> None:
    before = a_table("81000000 T a", "c0000000 t x [old]", "c0010000 t y [fat]")
    after = a_table("81000008 T a", "c0020000 t z [new]", "c0010008 t y [fat]")

    modules = [changes.module for changes in compare(before, after).modules]

    assert modules == ["", "new", "fat", "old"]


@either
def test_random_changes_add_up(form: Form) -> None:
    chance = random.Random(6)
    for _ in range(40):
        before = [_a_line(chance) for _ in range(chance.randrange(30))]
        after = [line for line in before if chance.random() < 0.8]
        after += [_a_line(chance) for _ in range(chance.randrange(4))]
        diff = compare(form(a_table(*before)), form(a_table(*after)))

        assert diff.after_count - diff.before_count == diff.added - diff.removed
        assert (not diff.modules) == (sorted(before) == sorted(after))
        assert compare(form(a_table(*before)), a_table(*after)) == compare(
            a_table(*before), a_table(*after)
        )


def _a_line(chance: random.Random) -> str:
    module = chance.choice(["", " [fat]"])
    return f"8100{chance.randrange(3)}000 {chance.choice('tT')} {chance.choice('abc')}{module}"


@either
def test_a_zero_in_a_table_that_is_not_hidden_is_an_address(form: Form) -> None:
    before = a_table("81000000 T a", "0 A cpu")
    after = a_table("81000000 T a", "81000100 A cpu", "0 A new")

    diff = compare(form(before), form(after))

    assert (diff.before_hidden, diff.after_hidden) == (False, False)
    assert only(diff).moved == (Moved("cpu", "A", 0, 0xFFFFFFFF81000100),)
    assert counts(diff) == (1, 0, 1, 0)


@either
def test_the_side_that_is_hidden_is_told(form: Form) -> None:
    shown, hidden = a_table("81000000 T a"), a_table("0 T a", "0 T b")

    diff = compare(form(shown), form(hidden))

    assert (diff.before_hidden, diff.after_hidden, diff.hidden) == (False, True, True)
