"""Leave out of two symbol tables what both have.

Most often a module has come or gone, in the middle of 200,000 lines, or a few functions have. What
is the same need not be looked at: it is compared in pieces as large as they can be, and no line of
it becomes an object of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lkm.kallsyms.in_place import columns_in_place
from lkm.kallsyms.parse import Columns, offset_of_line
from lkm.kallsyms.table import SymbolTable

# How far a line that stands next on one side is looked for on the other: as a rule, and, since a
# whole module may stand between, now and then.
_NEAR, _FAR = 1 << 14, 1 << 21
# So many lines may differ, and one more in so many bytes that do not; with more of them it is
# quicker to put all lines into sets.
_PATIENCE, _BYTES_A_CHANGE = 64, 512
_FIRST = 128


def differing(before: SymbolTable, after: SymbolTable) -> tuple[SymbolTable, SymbolTable]:
    """Return both tables without rows that are in both: as many as are found at little cost."""
    if before.text is not None and after.text is not None:
        return _of_texts(before.text, after.text)
    one, two = _of_columns(before.columns, after.columns)
    return SymbolTable(one), SymbolTable(two)


def _of_columns(one: Columns, two: Columns) -> tuple[Columns, Columns]:
    start, shared = _common_rows(one, two)
    # The names before the one row, and behind the other, are the same on both sides.
    names = one.joined_names()
    ahead = offset_of_line(names, start)
    behind = len(names) - offset_of_line(names, len(one.types) - shared)
    left, added = (
        each.part(start, len(each.types) - shared, joined[ahead : len(joined) - behind])
        for each, joined in ((one, names), (two, two.joined_names()))
    )
    return left, added


def _of_texts(old: bytes, new: bytes) -> tuple[SymbolTable, SymbolTable]:
    start = _common_start(old, new)
    shared = _common_end(old, new, start)
    start = old.rfind(b"\n", 0, start) + 1
    # The shared end begins somewhere in a line; it counts from the next one.
    old_end = old.find(b"\n", len(old) - shared) + 1 or len(old)
    one, two = old[start:old_end], new[start : len(new) - (len(old) - old_end)]
    walk = _Walk(one, two)
    walk.run()
    # Where hardly anything was the same, all may have moved: to look for more is in vain.
    if walk.ended or walk.matched > walk.at // 4:
        one, two = without_shared(*walk.left())
    elif columns := columns_in_place(one, two):
        return SymbolTable(columns[0]), SymbolTable(columns[1])
    return SymbolTable.from_text(one), SymbolTable.from_text(two)


class _Walk:
    """Two texts walked through side by side; the lines that are in one only are put aside."""

    def __init__(self, old: bytes, new: bytes) -> None:
        self.old, self.new = old, new
        self.at = self.other = 0
        self.matched = 0
        self.gone: list[bytes] = []
        self.come: list[bytes] = []

    @property
    def ended(self) -> bool:
        """Whether one of them has nothing more."""
        return self.at == len(self.old) or self.other == len(self.new)

    def left(self) -> tuple[bytes, bytes]:
        """Return what was put aside and what was not walked through."""
        one = b"".join([*self.gone, self.old[self.at :]])
        return one, b"".join([*self.come, self.new[self.other :]])

    def run(self) -> None:
        """Walk to the end of either, or until too much differs."""
        changes = 0
        while True:
            same = _same(self.old, self.new, self.at, self.other)
            self.at += same
            self.other += same
            self.matched += same
            if self.ended or changes > _PATIENCE + self.matched // _BYTES_A_CHANGE:
                return
            changes += 1
            self._pass_difference(_FAR if changes & (changes - 1) == 0 else _NEAR)

    def _pass_difference(self, within: int) -> None:
        old_line = self.old[self.at : self.old.find(b"\n", self.at) + 1]
        new_line = self.new[self.other : self.new.find(b"\n", self.other) + 1]
        again = self.old.find(b"\n" + new_line, self.at, self.at + within) + 1
        if again:
            self.gone.append(self.old[self.at : again])
            self.at = again
            return
        again = self.new.find(b"\n" + old_line, self.other, self.other + within) + 1
        if again:
            self.come.append(self.new[self.other : again])
            self.other = again
            return
        self.gone.append(old_line)
        self.come.append(new_line)
        self.at += len(old_line)
        self.other += len(new_line)


def _same(old: bytes, new: bytes, at: int, other: int) -> int:
    """Return how long the lines are that follow in *old* from *at* and in *new* from *other*."""
    size, length = 0, _FIRST
    while True:
        piece = old[at + size : at + size + length]
        if not piece or piece != new[other + size : other + size + length]:
            break
        size += len(piece)
        length *= 2
    while length > 1:
        length //= 2
        piece = old[at + size : at + size + length]
        if piece == new[other + size : other + size + len(piece)]:
            size += len(piece)
    return max(old.rfind(b"\n", at, at + size) + 1 - at, 0)


def without_shared(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """Return both texts without the lines that are in both."""
    if not old or not new:
        return old, new
    olds, news = old.split(b"\n"), new.split(b"\n")
    in_old, in_new = set(olds), set(news)
    gone, come = in_old - in_new, in_new - in_old
    left = [line for line in olds if line in gone]
    added = [line for line in news if line in come]
    shared = len(in_old) - len(gone)
    if len(olds) - len(left) != shared or len(news) - len(added) != shared:
        # Of a line that stands there several times one may have come or gone: they are counted.
        old_count, new_count = Counter(olds), Counter(news)
        left = [line for line in olds if new_count[line] != old_count[line]]
        added = [line for line in news if new_count[line] != old_count[line]]
    return b"\n".join(left), b"\n".join(added)


def _common_rows(one: Columns, two: Columns) -> tuple[int, int]:
    """Return how many rows both have in common at the start, and then at the end."""
    olds, news = one.joined_names(), two.joined_names()
    columns: tuple[tuple[Sequence[object], Sequence[object]], ...] = (
        (one.types, two.types),
        (one.addresses, two.addresses),
        (one.modules, two.modules),
    )
    start = olds.count(b"\n", 0, _common_start(olds, news))
    start = min([start, *(_common_start(*each) for each in columns)])
    shared = _common_end(olds, news)
    # The first line of a shared end may have begun otherwise.
    end = olds.count(b"\n", len(olds) - shared) - 1 if shared else 0
    end = min([end, *(_common_end(*each) for each in columns)])
    return start, max(min(end, len(one.types) - start, len(two.types) - start), 0)


def _common_start(one: Sequence[object], two: Sequence[object]) -> int:
    # In pieces twice as long each, then by halves, each compared in one call.
    start, most, length = 0, min(len(one), len(two)), _FIRST
    while start + length <= most and one[start : start + length] == two[start : start + length]:
        start += length
        length *= 2
    most = start + length - 1 if start + length <= most else most
    while start < most:
        stop = (start + most + 1) // 2
        if one[start:stop] == two[start:stop]:
            start = stop
        else:
            most = stop - 1
    return start


def _common_end(one: Sequence[object], two: Sequence[object], but: int = 0) -> int:
    """Return how many of the last items are the same, the first *but* left out."""
    end, most, length = 0, min(len(one), len(two)) - but, _FIRST
    while end + length <= most and _ends_alike(one, two, end, end + length):
        end += length
        length *= 2
    most = end + length - 1 if end + length <= most else most
    while end < most:
        stop = (end + most + 1) // 2
        if _ends_alike(one, two, end, stop):
            end = stop
        else:
            most = stop - 1
    return end


def _ends_alike(one: Sequence[object], two: Sequence[object], end: int, stop: int) -> bool:
    return one[len(one) - stop : len(one) - end] == two[len(two) - stop : len(two) - end]
