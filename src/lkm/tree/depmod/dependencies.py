"""Which module needs which, in what order they stand in modules.dep, and cycles among them.

Modules are numbers here: their places in modules.dep.

Source: kmod, tools/depmod.c, depmod_calculate_dependencies and depmod_report_cycles.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    Name = TypeVar("Name", str, bytes)
    Graph = Sequence[Sequence[int]]

_ROUNDS = 16


def spellings(owners: Mapping[str, int], prefix: str = "") -> dict[str, int]:
    """Return who exports what a module may need, by every spelling that stands for it.

    *owners* has names without *prefix*. A leading dot (64-bit PowerPC marks the entry point of a
    function so) does not count where a name is needed, nor does the prefix behind it.
    """
    found = {name: owner for name, owner in owners.items() if name[:1] not in (".", prefix)}
    found.update({f".{name}": owner for name, owner in owners.items() if name[:1] != prefix})
    if prefix:
        found.update({f".{prefix}{name}": owner for name, owner in owners.items()})
    if prefix and prefix != ".":
        found.update({f"{prefix}{name}": owner for name, owner in owners.items()})
    found.pop("", None)
    return found


def direct_dependencies(
    needs: Iterable[Sequence[Name]], owners: Mapping[Name, int]
) -> list[list[int]]:
    """Return whom each module needs, in order of first use.

    *needs* holds the names that each module needs, *owners* who exports a name (``spellings``). A
    name that no module exports is taken as the kernel's.
    """
    find = owners.get
    found = []
    for names in needs:
        used = dict.fromkeys(map(find, names))
        used.pop(None, None)
        found.append([owner for owner in used if owner is not None])
    return found


def first_uses(
    needs: Iterable[Sequence[str]], owners: Mapping[str, int]
) -> Iterator[tuple[int, str, int]]:
    """Yield (user, name, owner) where a module first needs another: an edge of the graph each."""
    for user, names in enumerate(needs):
        seen: set[int] = set()
        for name in names:
            owner = owners.get(name)
            if owner is not None and owner not in seen:
                seen.add(owner)
                yield user, name, owner


def number(graph: Graph) -> tuple[list[int], list[int]]:
    """Return each module's number, and the modules that got none since they need each other.

    Those nobody needs are numbered first, from the last of the tree on, and a module after all
    of its users. Without a number (-1) stay modules of a cycle and whatever they need.
    """
    users = [0] * len(graph)
    for needed in graph:
        for module in needed:
            users[module] += 1
    numbers = [-1] * len(graph)
    stack = [module for module, count in enumerate(users) if not count]
    given = 0
    while stack:
        module = stack.pop()
        numbers[module] = given
        given += 1
        for needed_module in graph[module]:
            users[needed_module] -= 1
            if not users[needed_module]:
                stack.append(needed_module)
    return numbers, [module for module, count in enumerate(users) if count]


def closures(graph: Graph, numbers: Sequence[int], stuck: Sequence[int] = ()) -> list[list[int]]:
    """Return all that each module needs, directly or not, by *numbers*: the last is loaded first.

    A module of a cycle needs all the others of it. They stand in an order that is right for what
    is outside the cycle; none is right inside.
    """
    every: list[frozenset[int]] = [frozenset()] * len(graph)
    order = list(numbers)
    components = _all_components(graph, stuck)
    reached = _reached(graph, components)
    for place, (module, component) in enumerate(components.items(), len(graph)):
        order[module] = place
        every[module] = reached[component] - {module}
    numbered = [module for module, given in enumerate(numbers) if given >= 0]
    # What a module needs has a higher number than it, so its closure is there already.
    for module in sorted(numbered, key=numbers.__getitem__, reverse=True):
        needed = graph[module]
        if needed:
            every[module] = frozenset(needed).union(*[every[other] for other in needed])
    by_number = order.__getitem__
    return [sorted(needed, key=by_number) if needed else [] for needed in every]


def cycles(graph: Graph, stuck: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return chains of modules of which each needs the next, and the last the first.

    *stuck* are the modules without a number, in order. Each module of a cycle is in one chain at
    least, and no chain is there twice; but not every cycle is told, since of those there may be
    exponentially many. First come the chains that kmod's depmod reports, in its order: it
    searches from each of a ring of candidates, and whatever is taken out of the ring makes the one
    behind it the next. Where its search takes time and memory without end, this one leaves off
    after some rounds over all needs. Then comes a shortest chain through each module that is still
    in none, in the order of *stuck*.
    """
    components = _components(graph, stuck)
    budgets: dict[int, int] = {}
    for module, component in components.items():
        budgets[component] = budgets.get(component, 0) + _ROUNDS * (len(graph[module]) + 1)
    ring = _Ring(stuck)
    found: list[tuple[int, ...]] = []
    while ring:
        root = ring.take_first()
        if budgets.get(components.get(root, -1), 1) <= 0:
            continue
        for chain in _chains_from(root, graph, components, budgets, ring):
            found.append(chain)
            for module in chain:
                ring.take(module)
    told = {module for chain in found for module in chain}
    for module in stuck:
        if module in components and module not in told:
            found.append(_shortest_chain(module, graph, components))
            told.update(found[-1])
    return tuple(found)


def _shortest_chain(module: int, graph: Graph, components: Mapping[int, int]) -> tuple[int, ...]:
    """Return a shortest way from *module*, which is on a cycle, back to it."""
    came_from: dict[int, int] = {}
    component = components[module]
    layer = [module]
    while module not in came_from:
        after: list[int] = []
        for user in layer:
            for needed in graph[user]:
                if needed not in came_from and components.get(needed) == component:
                    came_from[needed] = user
                    after.append(needed)
        layer = after
    chain = [came_from[module]]
    while chain[-1] != module:
        chain.append(came_from[chain[-1]])
    return tuple(reversed(chain))


class _Ring:
    """The candidates, as a circular list whose first is the one after the last taken out."""

    def __init__(self, modules: Sequence[int]) -> None:
        self._next = dict(zip(modules, [*modules[1:], *modules[:1]], strict=True))
        self._previous = {after: before for before, after in self._next.items()}
        self._first = modules[0] if modules else -1

    def __bool__(self) -> bool:
        return bool(self._next)

    def take_first(self) -> int:
        first = self._first
        self.take(first)
        return first

    def take(self, module: int) -> None:
        if module not in self._next:
            return
        after, before = self._next.pop(module), self._previous.pop(module)
        if self._next:
            self._next[before], self._previous[after] = after, before
        self._first = after


def _chains_from(
    root: int,
    graph: Graph,
    components: Mapping[int, int],
    budgets: dict[int, int],
    ring: _Ring,
) -> Iterator[tuple[int, ...]]:
    """Search depth first for ways from *root* back to it, the last dependency of each first."""
    component = components.get(root, -1)
    visited: set[int] = set()
    chain: list[int] = []
    on_chain: set[int] = set()
    stack = [(root, 0)]
    while stack:
        module, depth = stack.pop()
        on_chain.difference_update(chain[depth:])
        del chain[depth:]
        if module == root and depth:
            yield tuple(chain)
            continue
        # Outside the component no way leads back. Inside it there may be several ways through
        # one module, which are all tried while the budget lasts.
        inside = components.get(module) == component and budgets.get(component, 0) > 0
        if module in on_chain or (module in visited and not inside):
            continue
        visited.add(module)
        if inside:
            budgets[component] -= len(graph[module]) + 1
        if not graph[module]:
            ring.take(module)
            continue
        chain.append(module)
        on_chain.add(module)
        stack += [(needed, depth + 1) for needed in graph[module]]


def _reached(graph: Graph, components: Mapping[int, int]) -> dict[int, frozenset[int]]:
    """Return all that each component needs, directly or not: its modules all need the same."""
    found: dict[int, frozenset[int]] = {}
    for component in dict.fromkeys(components.values()):
        reached: set[int] = set()
        todo = [component]
        while todo:
            new = set(graph[todo.pop()]) - reached
            reached |= new
            todo += new
        found[component] = frozenset(reached)
    return found


def _components(graph: Graph, modules: Sequence[int]) -> dict[int, int]:
    """Return the component of each of *modules* that is on a cycle."""
    components = _all_components(graph, modules)
    sizes: dict[int, int] = {}
    for first in components.values():
        sizes[first] = sizes.get(first, 0) + 1
    return {
        module: first
        for module, first in components.items()
        if sizes[first] > 1 or module in graph[module]
    }


def _all_components(graph: Graph, modules: Sequence[int]) -> dict[int, int]:
    """Return the component of each module, users before what they need (Kosaraju's algorithm).

    *modules* hold whatever they need. A component is named by one of its modules; its modules need
    each other and stand together.
    """
    users: dict[int, list[int]] = {module: [] for module in modules}
    for module in modules:
        for needed in graph[module]:
            users[needed].append(module)
    components: dict[int, int] = {}
    for first in reversed(_finished(graph, modules)):
        if first in components:
            continue
        components[first] = first
        todo = [first]
        while todo:
            others = [user for user in users[todo.pop()] if user not in components]
            components.update(dict.fromkeys(others, first))
            todo += others
    return components


def _finished(graph: Graph, modules: Sequence[int]) -> list[int]:
    """Return *modules* in the order in which a search depth first is done with them."""
    entered: set[int] = set()
    finished: list[int] = []
    for start in modules:
        walk = [] if start in entered else [(start, iter(graph[start]))]
        entered.add(start)
        while walk:
            module, needed = walk[-1]
            other = next((other for other in needed if other not in entered), None)
            if other is None:
                finished.append(module)
                walk.pop()
            else:
                entered.add(other)
                walk.append((other, iter(graph[other])))
    return finished
