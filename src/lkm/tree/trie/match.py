"""Match words against all the patterns of an index, many words in one walk.

Words that begin alike go down the trie together, so each node is decoded once for all of them.
From the first wildcard on, a pattern is followed by the place that each word has reached: behind a
star by the leftmost one, which is always good enough, and the *piece* of plain text since; from a
``?`` to the next star by the set of all places. A pattern with a bracket or a backslash is left to
``fnmatch``, once it is known whole.

A sound file has each node below one other, so that a walk reads no byte of it twice, but for words
with wildcards in them, which are taken as themselves too. A file that asks for more is refused, as
is one whose patterns for ``fnmatch`` are out of proportion to it. So a walk takes time by the size
of the file, times the number and the length of the words, and not more for any file.

Source: kmod, libkmod/libkmod-index.c, index_mm_searchwild.
"""

from __future__ import annotations

from lkm.errors import FormatError
from lkm.tree.trie.fnmatch import fnmatch_each
from lkm.tree.trie.nodes import CHILDREN, KEY_BYTES, VALUES, WHAT
from lkm.tree.trie.reached import advanced, following, is_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lkm.tree.trie.nodes import Node, Nodes, Value
    from lkm.tree.trie.reached import Found, Reached, State

    Word = tuple[bytes, Found]  # the text, and what was found for it

_WILD = b"*?["
_LAST_WILD = max(_WILD)
_ENDED = -1
_PATTERNS_BYTES = 1 << 22  # of the patterns that are left to fnmatch, in a small file
_BYTES_WILD = (b"*", b"?", b"[")
_BYTES = [bytes([code]) for code in range(256)]


def match_each(nodes: Nodes, root: int, texts: Iterable[bytes]) -> list[Found]:
    """Return for each of *texts* the values of the keys below *root* that match it, as found.

    Each is a list of the values of one key, and the same list for all texts that this one matches.
    Raises ``FormatError`` where the file is not sound on the way.
    """
    words: list[Word] = [(text, []) for text in texts]
    walk = _Walk(nodes)
    todo = [(root, 0, words)]
    while todo:
        reference, at, group = todo.pop()
        node = walk.node(reference)
        prefix = node.prefix
        if prefix:
            literal = _literal_length(prefix)
            start = prefix[:literal]
            group = [word for word in group if word[0].startswith(start, at)]
            if not group:
                continue
            at += literal
            if literal < len(prefix):
                _Subtree(walk, at).collect(node, prefix[literal:], group)
                continue
        todo += _below(walk, node, at, group)
    return [found for _, found in words]


def _literal_length(prefix: bytes) -> int:
    places = [place for place in map(prefix.find, _BYTES_WILD) if place >= 0]
    return min(places, default=len(prefix))


def _below(
    walk: _Walk, node: Node, at: int, words: Sequence[Word]
) -> Iterator[tuple[int, int, list[Word]]]:
    """Collect below the wildcards of *node*; yield its children that *words* go on to."""
    for wild in _WILD if node.first <= _LAST_WILD else b"":
        reference = walk.nodes.child(node, wild)
        if reference:
            child = walk.node(reference)
            _Subtree(walk, at).collect(child, _BYTES[wild] + child.prefix, words)
    groups: dict[int, list[Word]] = {}
    for word in words:
        text = word[0]
        code = text[at] if len(text) > at else _ENDED
        if code in groups:
            groups[code].append(word)
        else:
            groups[code] = [word]
    ended = groups.pop(_ENDED, None)
    if ended and node.values_at:
        values = walk.values(node.values_at)
        for _, found in ended:
            found.append(values)
    for character, group in groups.items():
        reference = walk.nodes.child(node, character)
        if reference:
            if character in _WILD:
                walk.come_by(group[0][0][: at + 1])
            yield reference, at + 1, group


class _Walk:
    """What is read in one walk, and how much more of it there may be."""

    __slots__ = ("_known", "_often", "_patterns_room", "_room", "masks", "nodes")

    def __init__(self, nodes: Nodes) -> None:
        self.nodes = nodes
        self.masks: dict[tuple[bytes, int], int] = {}
        self._known: dict[int, tuple[list[Value], int]] = {}
        self._often = self._room = self._patterns_room = 0
        self.come_by(b"")

    def come_by(self, text: bytes) -> None:
        """Let nodes be read as often as those below *text*, which words have come by as itself.

        That is once as itself, and once below each wildcard in it and the next one behind it.
        """
        more = max(2 + sum(map(text.count, _BYTES_WILD)) - self._often, 0)
        self._often += more
        self._room += more * self.nodes.size
        self._patterns_room += more * max(_PATTERNS_BYTES, 64 * self.nodes.size)

    def node(self, reference: int) -> Node:
        """Return the node that *reference* names."""
        node = self.nodes.node(reference)
        self._room -= len(node.prefix) + 4 * (node.last - node.first + 1)
        if self._room < 0:
            raise FormatError(WHAT, "nodes that overlap", offset=node.table)
        return node

    def leaf(self, reference: int) -> tuple[bytes, int]:
        """Return the prefix of a node without children, and where its values are."""
        leaf = self.nodes.leaf(reference)
        self._room -= len(leaf[0])
        if self._room < 0:
            raise FormatError(WHAT, "nodes that overlap", offset=leaf[1])
        return leaf

    def values(self, at: int) -> list[Value]:
        """Return the values that stand at *at*."""
        known = self._known.get(at)
        if known is None:
            known = self._known[at] = self.nodes.values_and_end(at)
        values, end = known
        self._room -= end - at
        if self._room < 0:
            raise FormatError(WHAT, "values that overlap", offset=at)
        return values

    def matching(self, pattern: bytes, at: int, words: Sequence[Reached]) -> list[Reached]:
        """Return those of *words* that match *pattern* from *at* on."""
        self._patterns_room -= len(pattern)
        if self._patterns_room < 0:
            raise FormatError(WHAT, "patterns without end", offset=self.nodes.size)
        texts = [text[at:] for _, text, _ in words]
        chosen = zip(words, fnmatch_each(texts, pattern), strict=True)
        return [word for word, matches in chosen if matches]


class _Subtree:
    """What is below one wildcard, where *at* is the place in the words that have come to it."""

    __slots__ = ("_at", "_entered", "_todo", "_walk")

    def __init__(self, walk: _Walk, at: int) -> None:
        self._walk = walk
        self._at = at
        self._entered: set[int] = set()
        self._todo: list[tuple[int, bytes, State]] = []

    def collect(self, top: Node, pattern: bytes, words: Sequence[Word]) -> None:
        """Add the values of each key at *top* and below whose rest matches, to those of the words.

        *pattern* is the rest of the key of *top*. Children come before their parents, by character.
        """
        at, walk = self._at, self._walk
        state: State = (b"", None, [(1 << at, text, found) for text, found in words])
        if pattern.startswith(b"*"):
            state = (b"", b"", [(at, text, found) for text, found in words])
        self._visit(top, advanced(state, pattern, walk.masks))
        while self._todo:
            reference, text, state = self._todo.pop()
            if reference & CHILDREN:
                node = walk.node(reference)
                self._visit(node, advanced(state, text + node.prefix, walk.masks))
            elif text:
                prefix, at = walk.leaf(reference)
                if reference & VALUES:
                    self._take(at, advanced(state, text + prefix, walk.masks))
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
            characters = sorted(following(piece, words), reverse=True)
        child = self._walk.nodes.child
        for character in characters:
            reference = child(node, character)
            if reference:
                self._todo.append((reference, _BYTES[character], state))

    def _take(self, at: int, state: State) -> None:
        """Add the values that stand at *at* to those of the words that match."""
        pattern, piece, words = state
        if piece is not None:
            words = [word for word in words if word[1].endswith(piece, word[0])]
        elif not words:
            return
        elif is_whole(pattern):
            words = self._walk.matching(pattern, self._at, words)
        else:
            words = [word for word in words if word[0] >> len(word[1])]
        if words:
            values = self._walk.values(at)
            for _, _, found in words:
                found.append(values)
