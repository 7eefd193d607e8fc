"""Match words against all the patterns of an index, many words in one walk.

Words that begin alike go down the trie together, so each node is decoded once for all of them.
From the first wildcard on, what is known of a pattern is the *piece* behind its last star, and of
each word from where on that piece may stand: behind where the pieces before it fit leftmost, which
is always good enough. A pattern with another wildcard than the star is left to ``fnmatch``.

Each step of the walk eats a character of the words; below a wildcard no node is entered twice.

Source: kmod, libkmod/libkmod-index.c, index_mm_searchwild.
"""

from __future__ import annotations

from lkm import _text
from lkm.errors import FormatError
from lkm.tree.trie.fnmatch import fnmatch
from lkm.tree.trie.nodes import CHILDREN, KEY_BYTES, VALUES, WHAT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lkm.tree.trie.nodes import Node, Nodes, Value

    Word = tuple[bytes, list[Value]]  # the text, and what was found for it
    Reached = tuple[int, bytes, list[Value]]  # from where on its text is still to be matched
    # A pattern as far as it is known; its piece, None where more than stars is in it; and the words
    # that may match what begins so.
    State = tuple[bytes, bytes | None, Sequence[Reached]]

_WILD = b"*?["
_SPECIAL = b"*?[\\"
_OFTEN = 16
_BYTES = [bytes([code]) for code in range(256)]


def match_each(nodes: Nodes, root: int, texts: Iterable[bytes]) -> list[list[Value]]:
    """Return for each of *texts* the values of the keys below *root* that match it, as found.

    Raises ``FormatError`` where the file is not sound on the way.
    """
    words: list[Word] = [(text, []) for text in texts]
    todo = [(root, 0, words)]
    while todo:
        reference, at, group = todo.pop()
        node = nodes.node(reference)
        prefix = node.prefix
        if prefix:
            literal = _literal_length(prefix)
            start = prefix[:literal]
            group = [word for word in group if word[0].startswith(start, at)]
            if not group:
                continue
            at += literal
            if literal < len(prefix):
                _Subtree(nodes, at).collect(node, prefix[literal:], group)
                continue
        todo += _below(nodes, node, at, group)
    return [found for _, found in words]


def _literal_length(prefix: bytes) -> int:
    places = [place for place in map(prefix.find, (b"*", b"?", b"[")) if place >= 0]
    return min(places, default=len(prefix))


def _below(
    nodes: Nodes, node: Node, at: int, words: Sequence[Word]
) -> Iterator[tuple[int, int, list[Word]]]:
    """Collect below the wildcards of *node*; yield its children that *words* go on to."""
    for wild in _WILD:
        reference = nodes.child(node, wild)
        if reference:
            child = nodes.node(reference)
            _Subtree(nodes, at).collect(child, _BYTES[wild] + child.prefix, words)
    groups: dict[int, list[Word]] = {}
    for word in words:
        text, found = word
        if len(text) == at:
            found += nodes.values(node.values_at)
        elif text[at] in groups:
            groups[text[at]].append(word)
        else:
            groups[text[at]] = [word]
    for character, group in groups.items():
        reference = nodes.child(node, character)
        if reference:
            yield reference, at + 1, group


class _Subtree:
    """What is below one wildcard, where *at* is the place in the words that have come to it."""

    __slots__ = ("_at", "_entered", "_nodes", "_seen", "_todo")

    def __init__(self, nodes: Nodes, at: int) -> None:
        self._nodes = nodes
        self._at = at
        self._entered: set[int] = set()
        self._seen = 0
        self._todo: list[tuple[int, bytes, State]] = []

    def collect(self, top: Node, pattern: bytes, words: Sequence[Word]) -> None:
        """Add the values of each key at *top* and below whose rest matches, to those of the words.

        *pattern* is the rest of the key of *top*. Children come before their parents, by character.
        """
        at = self._at
        state: State = (b"", b"", [(at, text, found) for text, found in words])
        self._visit(top, self._advanced(state, pattern))
        while self._todo:
            reference, text, state = self._todo.pop()
            if reference & CHILDREN:
                node = self._nodes.node(reference)
                self._visit(node, self._advanced(state, text + node.prefix))
            elif text:
                prefix, at = self._nodes.leaf(reference)
                if reference & VALUES:
                    self._take(at, self._advanced(state, text + prefix))
            else:
                self._take(reference, state)

    def _visit(self, node: Node, state: State) -> None:
        """Put down what is still to be done at *node* and below, the last first."""
        pattern, piece, words = state
        if not words:
            return
        if len(pattern) > KEY_BYTES:
            raise FormatError(WHAT, "a key without end", offset=node.table)
        if node.values_at:
            self._todo.append((node.values_at, b"", state))
        if not node.table:
            return
        if node.table in self._entered:
            raise FormatError(WHAT, "a node that is met twice", offset=node.table)
        self._entered.add(node.table)
        if piece is None or node.first == node.last:
            characters = list(range(node.last, node.first - 1, -1))
        else:
            characters = sorted(_following(piece, words), reverse=True)
        for character in characters:
            reference = self._nodes.child(node, character)
            if reference:
                self._todo.append((reference, _BYTES[character], state))

    def _advanced(self, state: State, text: bytes) -> State:
        """Return *state* where *text* has been added to the pattern."""
        pattern, piece, words = state
        pattern += text
        if piece is None or b"[" in text or b"?" in text or b"\\" in text:
            return pattern, None, self._possible(pattern, words)
        parts = (piece + text).split(b"*")
        piece = parts.pop()
        for part in parts:
            size = len(part)
            words = [
                (place + size, text, found)
                for start, text, found in words
                if (place := text.find(part, start)) >= 0
            ]
        if piece:
            words = [word for word in words if word[1].find(piece, word[0]) >= 0]
        return pattern, piece, words

    def _possible(self, pattern: bytes, words: Sequence[Reached]) -> Sequence[Reached]:
        """Return the words that a pattern could match that begins with *pattern*."""
        if b"[" in pattern or b"\\" in pattern:
            return words  # it may end amid a bracket
        return self._matching(pattern + b"*", words)

    def _matching(self, pattern: bytes, words: Sequence[Reached]) -> list[Reached]:
        plain, at = _text.decode(pattern), self._at
        return [word for word in words if fnmatch(_text.decode(word[1][at:]), plain)]

    def _take(self, at: int, state: State) -> None:
        """Add the values that stand at *at* to those of the words that match."""
        pattern, piece, words = state
        if piece is None:
            words = self._matching(pattern, words)
        else:
            words = [word for word in words if word[1].endswith(piece, word[0])]
        if words:
            values = self._nodes.values(at)
            self._seen += len(values)
            if self._seen > self._nodes.size // 5:  # no sound file has more values than that
                raise FormatError(WHAT, "values that overlap", offset=at)
            for _, _, found in words:
                found.extend(values)


def _following(piece: bytes, words: Sequence[Reached]) -> set[int]:
    """Return the characters that stand behind *piece* in any of *words*, and the special ones.

    Of a text that has it often, or where it is empty, simply all that are left.
    """
    characters = set(_SPECIAL)
    for start, text, _ in words:
        place = start - 1
        for _ in range(_OFTEN if piece else 0):
            place = text.find(piece, place + 1)
            if place < 0:
                break
            behind = place + len(piece)
            characters.update(text[behind : behind + 1])
        else:
            characters.update(text[start:])
    return characters
