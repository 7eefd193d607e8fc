r"""POSIX extended regular expressions, searched in time that no expression can make long.

Whoever writes an expression may mean harm: ``((a*)*)*b`` keeps a searcher that goes back at each
failure, such as Python's ``re``, busy for hours with a text of thirty letters. So all places are
gone on from together: a part of the expression is asked where it may end, if it begins at one of
them, and that is remembered. Only for references back (``\1``), which make the question a hard one
for any searcher, it matters how a place was reached.

Whether there is a match is all that is asked, so POSIX's choice of the longest does not matter.

Source: regex(7).
"""

from __future__ import annotations

from lkm.config.posix_pattern import Back, Either, One, PatternError, Repeat, parse_pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.config.posix_pattern import Part

    # For each group that is referred back to what it matched.
    Groups = tuple[str | None, ...]
    # Places in the text, as the bits of a number, that were reached with such groups.
    Places = dict[Groups, int]

_MOST_STEPS = 20_000


def search(pattern: str, text: str) -> bool:
    """Tell whether *pattern* matches somewhere in *text*.

    A faulty pattern matches nothing, nor does one that takes more steps than any serious one.
    """
    try:
        root, referred = parse_pattern(pattern)
        way = _Search(text, referred)
        return bool(way.ends(root, way.everywhere))
    except PatternError:
        return False


class _Search:
    """Goes through one text from many places at once: a place is a bit of a number."""

    def __init__(self, text: str, referred: tuple[int, ...]) -> None:
        self._text = text
        self._referred = {number: index for index, number in enumerate(referred)}
        self._fitting: dict[int, int] = {}
        self._known: dict[tuple[int, Groups, int], Places] = {}
        self._steps = _MOST_STEPS
        self.everywhere: Places = {(None,) * len(referred): (2 << len(text)) - 1}

    def ends(self, part: Part, places: Places) -> Places:
        """Return where *part* may end if it begins at one of *places*."""
        if isinstance(part, One):
            fits, step = self._fits(part), not part.empty
            return {groups: (bits & fits) << step for groups, bits in places.items() if bits & fits}
        found: Places = {}
        for groups, bits in places.items():
            key = id(part), groups, bits
            if key not in self._known:
                self._steps -= 1
                if self._steps < 0:
                    raise PatternError
                self._known[key] = self._ends(part, groups, bits)
            _add(found, self._known[key])
        return found

    def _ends(self, part: Back | Repeat | Either, groups: Groups, bits: int) -> Places:
        if isinstance(part, Back):
            matched = groups[self._referred[part.number]]
            fits = [at for at in _each_bit(bits) if self._has(matched, at)]
            ends = sum(1 << at + len(matched or "") for at in fits)
            return {groups: ends} if ends else {}
        if isinstance(part, Repeat):
            return self._repeated(part, {groups: bits})
        index = self._referred.get(part.number)
        if index is None:
            return self._any_branch(part, {groups: bits})
        return self._matched(part, groups, bits, index)

    def _fits(self, part: One) -> int:
        """Return the places at which *part* holds."""
        if id(part) not in self._fitting:
            places = range(len(self._text) + part.empty)
            fitting = [1 << at for at in places if part.test(self._text, at)]
            self._fitting[id(part)] = sum(fitting)
        return self._fitting[id(part)]

    def _has(self, matched: str | None, at: int) -> bool:
        return matched is not None and self._text.startswith(matched, at)

    def _any_branch(self, part: Either, places: Places) -> Places:
        found: Places = {}
        for branch in part.branches:
            ends = places
            for each in branch:
                if not ends:
                    break
                ends = self.ends(each, ends)
            _add(found, ends)
        return found

    def _matched(self, part: Either, groups: Groups, bits: int, index: int) -> Places:
        """Return where a group that is referred back to may end, and what it matched then."""
        found: Places = {}
        for start in _each_bit(bits):
            for after, ends in self._any_branch(part, {groups: 1 << start}).items():
                for end in _each_bit(ends):
                    now = (*after[:index], self._text[start:end], *after[index + 1 :])
                    _add(found, {now: 1 << end})
        return found

    def _repeated(self, part: Repeat, places: Places) -> Places:
        count = 0
        while places and count < part.least:
            after = self.ends(part.part, places)
            # A turn that changes nothing is followed by none that does.
            count = part.least if after == places else count + 1
            places = after
        found = dict(places)
        if isinstance(part.part, One) and part.most is None and not part.part.empty:
            fits = self._fits(part.part)
            return {groups: _run(bits, fits) for groups, bits in places.items()}
        while places and (part.most is None or count < part.most):
            ends = self.ends(part.part, places)
            places = {groups: bits & ~found.get(groups, 0) for groups, bits in ends.items()}
            places = {groups: bits for groups, bits in places.items() if bits}
            _add(found, places)
            count += 1
        return found


def _add(found: Places, more: Places) -> None:
    for groups, bits in more.items():
        found[groups] = found.get(groups, 0) | bits


def _run(bits: int, fits: int) -> int:
    """Return the places that are reached from *bits* by any number of steps, each where it fits."""
    reached = bits
    while bits:
        bits = (bits & fits) << 1 & ~reached
        reached |= bits
    return reached


def _each_bit(bits: int) -> list[int]:
    return [at for at in range(bits.bit_length()) if bits >> at & 1]
