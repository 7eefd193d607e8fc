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
from lkm.resolve.lookup import Found, lookup
from lkm.resolve.plan import Builtin, Insert, Missing, Plan, Refuse, RunInstall, Skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from lkm.config.directives import Install, Softdep, Source
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
    founds = lookup(word, catalog, settings)
    if not founds:
        raise NoSuchModuleError(word, catalog.directory)
    loader = _Loader(catalog, settings, loaded or {}, show_all=show_all)
    steps: list[Step] = []
    for found in founds:
        steps += loader.steps_for(
            found, params, ignore_commands=ignore_commands, use_blacklist=use_blacklist
        )
    return Plan(word, "load", tuple(steps))


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
) -> Plan:
    """Plan to load the module file at *path*, with what the module of its name needs.

    As ``plan_load``; raises ``FileError`` where there is no such file.
    """
    try:
        os.stat(path)
    except OSError as error:
        raise FileError.from_os("read", path, error) from error
    loader = _Loader(catalog, settings, loaded or {}, show_all=show_all)
    found = Found(module_name_of_path(path), "", "file")
    loader.files[found.name] = path if path.startswith("/") else f"{os.getcwd()}/{path}"
    steps = loader.steps_for(
        found, params, ignore_commands=ignore_commands, use_blacklist=use_blacklist
    )
    return Plan(path, "load", tuple(steps))


class _Node:
    """A module to load, and what was found out about it on the way."""

    __slots__ = ("found", "ignore_command", "required", "visited")

    def __init__(self, found: Found) -> None:
        self.found: Final = found
        self.visited = False
        self.required = False
        self.ignore_command = False


class _Entry:
    """A place in the list: a node, and the module and softdep line that brought it there."""

    __slots__ = ("because", "node", "softdep")

    def __init__(self, node: _Node, because: str, softdep: Softdep | None) -> None:
        self.node: Final = node
        self.because: Final = because
        self.softdep: Final = softdep


class _Loader:
    """The state of one question: what is loaded, and the steps decided so far."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        loaded: Mapping[ModuleName, str],
        *,
        show_all: bool,
    ) -> None:
        self.files: Final[dict[ModuleName, str]] = {}
        self._catalog: Final = catalog
        self._settings: Final = settings
        self._loaded: Final = loaded
        self._show_all: Final = show_all
        self._planned: Final[set[ModuleName]] = set()
        self._nodes: dict[tuple[str, str], _Node] = {}
        self._list: list[_Entry] = []

    def steps_for(
        self, found: Found, params: str, *, ignore_commands: bool, use_blacklist: bool
    ) -> list[Step]:
        """Return the steps for one module that the word stands for."""
        present = self._present(found.name)
        if present is not None:
            return [present]
        blacklist = self._settings.blacklisted(found.name)
        if blacklist is not None and (found.alias or use_blacklist):
            return [Refuse(found.name, blacklist.source)]
        self._nodes = {}
        self._list = []
        asked = self._node(found)
        asked.required = True
        for name in self._dependencies(found.name):
            self._node(Found(name, "", "name")).required = True
        self._visit(asked, "", None, ignore_command=ignore_commands)
        return [self._step(entry, params if entry.node is asked else "") for entry in self._list]

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

    def _visit(
        self, node: _Node, because: str, softdep: Softdep | None, *, ignore_command: bool = False
    ) -> None:
        if node.visited:
            return
        node.visited = True
        for name in self._dependencies(node.found.name):
            self._surround(self._node(Found(name, "", "name")), node.found.name, None)
        if ignore_command:
            self._list.append(_Entry(node, because, softdep))
            node.ignore_command = True
        else:
            self._surround(node, because, softdep)

    def _surround(self, node: _Node, because: str, softdep: Softdep | None) -> None:
        """Append *node*, between its own soft dependencies."""
        own = self._settings.softdep_for(node.found.name)
        pre = self._looked_up(own.pre) if own else []
        post = self._looked_up(own.post) if own else []
        for neighbour in pre:
            self._visit(neighbour, node.found.name, own)
        self._list.append(_Entry(node, because, softdep))
        node.ignore_command = bool(pre or post)
        for neighbour in post:
            self._visit(neighbour, node.found.name, own)

    def _looked_up(self, words: tuple[str, ...]) -> list[_Node]:
        return [
            self._node(found)
            for word in words
            for found in lookup(word, self._catalog, self._settings)
        ]

    def _present(self, name: ModuleName, because: str = "") -> Skip | None:
        """Return why *name* needs no loading; None if it does. A coming module does, for kmod."""
        if self._show_all:
            return None
        if self._catalog.is_builtin(name):
            return Skip(name, "builtin", because)
        if self._loaded.get(name) == "live":
            return Skip(name, "loaded", because)
        return None

    def _step(self, entry: _Entry, params: str) -> Step:
        node, because = entry.node, entry.because
        name = node.found.name
        present = self._present(name, because)
        if present is not None:
            return present
        configured, sources = self._settings.options_for(name, node.found.alias)
        params = f"{configured} {params}" if configured else params
        repeated = name in self._planned
        self._planned.add(name)
        sources = _with(sources, node.found.source, entry.softdep)
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
            )
        path = self._path(name)
        if path:
            return Insert(name, path, params, because, node.required, sources, repeated=repeated)
        if self._catalog.is_builtin(name):
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


def _with(
    sources: tuple[Source, ...], source: Source | None, softdep: Softdep | None
) -> tuple[Source, ...]:
    if source is not None:
        sources = (*sources, source)
    return (*sources, softdep.source) if softdep is not None else sources
