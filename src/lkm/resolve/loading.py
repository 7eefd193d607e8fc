"""Decide what loading takes.

kmod builds a list first, of "nodes" here: a module together with the alias it was found by, for
the same module found by another alias has other options and is visited again. Only then does it
ask, node by node, what is loaded, which options and which command apply. A module may stand in
the list more than once, which shows in ``modprobe -D``.

Source: kmod, libkmod/libkmod-module.c, kmod_module_probe_insert_module and
__kmod_module_get_probe_list.
"""

from __future__ import annotations

import os

from lkm.errors import FileError, NoSuchModuleError
from lkm.names import module_name_of_path
from lkm.resolve.lookup import Found, is_bad, is_builtin, lookup
from lkm.resolve.plan import Builtin, Insert, Missing, Plan, Refuse, RunInstall, Skip
from lkm.resolve.reasons import Origin, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from lkm.config.directives import Install, Options, Source
    from lkm.config.settings import Settings
    from lkm.names import ModuleName
    from lkm.resolve.plan import Step
    from lkm.tree.catalog import Catalog


def plan_load(  # noqa: PLR0913  # modprobe's options, by their names
    word: str,
    catalog: Catalog,
    settings: Settings,
    *,
    loaded: Mapping[ModuleName, str] | None = None,
    params: str = "",
    ignore_commands: bool = False,
    use_blacklist: bool = False,
    show_all: bool = False,
) -> Plan:
    """Plan to load the modules that *word* stands for, with all that they need.

    *loaded* maps the modules in the kernel to their initstate; *params* are the words given
    for the module asked for. *ignore_commands* loads that module itself even if it has an install
    command; *use_blacklist* applies blacklists also to a module asked for by its name. With
    *show_all* nothing is left out for being loaded or built in, as in ``modprobe -D``.

    Raises ``NoSuchModuleError`` where the word stands for nothing. Unknown words of softdeps are
    passed over, as in modprobe.
    """
    plans = plan_loads(
        word,
        catalog,
        settings,
        loaded=loaded,
        params=params,
        ignore_commands=ignore_commands,
        use_blacklist=use_blacklist,
        show_all=show_all,
    )
    steps = [step for plan in plans for step in plan.steps]
    reasons = [reason for plan in plans for reason in plan.reasons]
    return Plan(word, "load", tuple(steps), tuple(reasons))


def plan_loads(  # noqa: PLR0913  # modprobe's options, by their names
    word: str,
    catalog: Catalog,
    settings: Settings,
    *,
    loaded: Mapping[ModuleName, str] | None = None,
    params: str = "",
    ignore_commands: bool = False,
    use_blacklist: bool = False,
    show_all: bool = False,
    on_bad_word: Callable[[str], None] | None = None,
) -> tuple[Plan, ...]:
    """Return what ``plan_load`` does as a plan for each module that *word* stands for.

    modprobe goes on with the next one where one of them fails. *on_bad_word* is given each word of
    a softdep that cannot be looked up, for a bracket in it.
    """
    founds = lookup(word, catalog, settings)
    if not founds:
        raise NoSuchModuleError(word, catalog.directory)
    loader = _Loader(catalog, settings, loaded or {}, show_all=show_all, on_bad_word=on_bad_word)
    return tuple(
        [
            loader.plan(
                word, found, params, ignore_commands=ignore_commands, use_blacklist=use_blacklist
            )
            for found in founds
        ]
    )


def plan_load_file(  # noqa: PLR0913  # modprobe's options, by their names
    path: str,
    catalog: Catalog,
    settings: Settings,
    *,
    loaded: Mapping[ModuleName, str] | None = None,
    params: str = "",
    ignore_commands: bool = False,
    use_blacklist: bool = False,
    show_all: bool = False,
    on_bad_word: Callable[[str], None] | None = None,
) -> Plan:
    """Plan to load the module file at *path*, with what the module of its name needs.

    As ``plan_loads``; raises ``FileError`` where there is no such file.
    """
    try:
        os.stat(path)
    except OSError as error:
        raise FileError.from_os("read", path, error) from error
    loader = _Loader(catalog, settings, loaded or {}, show_all=show_all, on_bad_word=on_bad_word)
    found = Found(module_name_of_path(path), "", "file")
    loader.files[found.name] = path if path.startswith("/") else f"{os.getcwd()}/{path}"
    return loader.plan(
        path, found, params, ignore_commands=ignore_commands, use_blacklist=use_blacklist
    )


class _Node:
    """A module to load, and what was found out about it on the way."""

    __slots__ = ("found", "ignore_command", "required", "visited")

    def __init__(self, found: Found) -> None:
        self.found: Final = found
        self.visited = False
        self.required = False
        self.ignore_command = False


class _Entry:
    """A place in the list: a node, and what brought it there."""

    __slots__ = ("node", "reason")

    def __init__(self, node: _Node, reason: Reason) -> None:
        self.node: Final = node
        self.reason: Final = reason


class _Loader:
    """The state of one question: what is loaded, and the steps decided so far, with reasons."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        loaded: Mapping[ModuleName, str],
        *,
        show_all: bool,
        on_bad_word: Callable[[str], None] | None = None,
    ) -> None:
        self.files: Final[dict[ModuleName, str]] = {}
        self._steps: list[Step] = []
        self._reasons: list[Reason] = []
        self._catalog: Final = catalog
        self._settings: Final = settings
        self._loaded: Final = loaded
        self._show_all: Final = show_all
        self._on_bad_word: Final = on_bad_word
        self._planned: Final[set[ModuleName]] = set()
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._list: list[_Entry] = []

    def plan(
        self, word: str, found: Found, params: str, *, ignore_commands: bool, use_blacklist: bool
    ) -> Plan:
        """Return the plan for one module that *word* stands for."""
        self._steps, self._reasons = [], []
        self._add_steps(
            word, found, params, ignore_commands=ignore_commands, use_blacklist=use_blacklist
        )
        return Plan(word, "load", tuple(self._steps), tuple(self._reasons))

    def _add_steps(
        self, word: str, found: Found, params: str, *, ignore_commands: bool, use_blacklist: bool
    ) -> None:
        reason = Reason("asked", word=word, found=found)
        present = self._present(found)
        if present is not None:
            self._add(present, reason)
            return
        blacklist = self._settings.blacklisted(found.name)
        if blacklist is not None and (found.alias or use_blacklist):
            self._add(Refuse(found.name, blacklist.source), reason)
            return
        self._nodes = {}
        self._list = []
        asked = self._node(found)
        asked.required = True
        for name in self._dependencies(found.name):
            self._node(Found(name, "", "name")).required = True
        self._visit(asked, reason, ignore_command=ignore_commands)
        for entry in self._list:
            self._add(self._step(entry, params if entry.node is asked else ""), entry.reason)

    def _add(self, step: Step, reason: Reason) -> None:
        self._steps.append(step)
        self._reasons.append(reason)

    def _node(self, found: Found) -> _Node:
        key = (found.name, found.alias)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = _Node(found)
        return node

    def _dependencies(self, name: ModuleName) -> list[ModuleName]:
        """Return the names of what *name* needs, in loading order."""
        entry = self._catalog.entry(name)
        if entry is None:
            return []
        return [module_name_of_path(path) for path in reversed(entry.depends)]

    def _visit(self, node: _Node, reason: Reason, *, ignore_command: bool = False) -> None:
        if node.visited:
            return
        node.visited = True
        for name in self._dependencies(node.found.name):
            needed = self._node(Found(name, "", "name"))
            self._surround(needed, Reason("dependency", node.found.name))
        if ignore_command:
            self._list.append(_Entry(node, reason))
            node.ignore_command = True
        else:
            self._surround(node, reason)

    def _surround(self, node: _Node, reason: Reason) -> None:
        """Append *node*, between its own soft dependencies."""
        name = node.found.name
        own = self._settings.softdep_for(name)
        pre = self._looked_up(own.pre) if own else []
        post = self._looked_up(own.post) if own else []
        source = own.source if own else None
        for word, found in pre:
            why = Reason("pre softdep", name, word=word, found=found, softdep=source)
            self._visit(self._node(found), why)
        self._list.append(_Entry(node, reason))
        node.ignore_command = bool(pre or post)
        for word, found in post:
            why = Reason("post softdep", name, word=word, found=found, softdep=source)
            self._visit(self._node(found), why)

    def _looked_up(self, words: tuple[str, ...]) -> list[tuple[str, Found]]:
        if self._on_bad_word is not None:
            for word in words:
                if is_bad(word):
                    self._on_bad_word(word)
        return [
            (word, found) for word in words for found in lookup(word, self._catalog, self._settings)
        ]

    def _present(self, found: Found, because: str = "") -> Skip | None:
        """Return why a module needs no loading; None if it does. A coming one does, for kmod."""
        if self._show_all:
            return None
        if is_builtin(found, self._catalog):
            return Skip(found.name, "builtin", because)
        if self._loaded.get(found.name) == "live":
            return Skip(found.name, "loaded", because)
        return None

    def _step(self, entry: _Entry, params: str) -> Step:
        node, because = entry.node, entry.reason.module
        name = node.found.name
        present = self._present(node.found, because)
        if present is not None:
            return present
        configured = self._settings.options_lines(name, node.found.alias)
        origins = _origins(configured, params)
        if configured:
            params = f"{' '.join([line.params for line in configured])} {params}"
        repeated = name in self._planned
        self._planned.add(name)
        sources = _sources(configured, node.found.source, entry.reason.softdep)
        install = None if node.ignore_command else self._install(node.found)
        if install is not None:
            return RunInstall(
                name,
                install.command,
                params,
                because,
                node.required,
                install.source,
                repeated=repeated,
                origins=origins,
            )
        path = self._path(name)
        if path:
            return Insert(
                name,
                path,
                params,
                because,
                node.required,
                sources,
                repeated=repeated,
                origins=origins,
            )
        if is_builtin(node.found, self._catalog):
            return Builtin(name, because)
        return Missing(name, because, node.required, sources)

    def _install(self, found: Found) -> Install | None:
        if found.via == "install":
            return self._settings.install_named(found.name)
        return self._settings.install_for(found.name)

    def _path(self, name: ModuleName) -> str:
        if name in self.files:
            return self.files[name]
        entry = self._catalog.entry(name)
        return self._catalog.file(entry.path) if entry is not None else ""


def _origins(lines: tuple[Options, ...], words: str) -> tuple[Origin, ...]:
    origins = [Origin(line.params, line.source) for line in lines]
    return tuple([*origins, Origin(words, None)] if words else origins)


def _sources(
    lines: tuple[Options, ...], source: Source | None, softdep: Source | None
) -> tuple[Source, ...]:
    others = [each for each in (source, softdep) if each is not None]
    return (*[line.source for line in lines], *others)
