"""What a command line is about, as far as it has been typed: the tree, the module, the kernel.

All of this is looked at, and nothing changed: no sandbox is booted, no message written, and a tree
without indexes is not scanned, for its file names tell enough.
"""

from __future__ import annotations

import os

from lkm import _text
from lkm.names import is_module_file, module_name, module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.dropin import Command
    from lkm.cli.shell.reading import Line
    from lkm.module.modinfo import Parameter

# Where no module on the line tells which it has: the order is that of modinfo's own output.
_COMMON_FIELDS = (
    "filename",
    "file",
    "version",
    "firmware",
    "license",
    "description",
    "author",
    "import_ns",
    "alias",
    "softdep",
    "weakdep",
    "srcversion",
    "depends",
    "retpoline",
    "build-id",
    "intree",
    "staging",
    "name",
    "vermagic",
    "sig_id",
    "signer",
    "sig_key",
    "sig_hashalgo",
    "signature",
    "parm",
)


# Actions of `lkm sandbox`, which are about that kernel without --on.
_OF_THE_SANDBOX = frozenset({"finish", "hold", "release"})


class Subject:
    """What *line*, of *command*, names. Every question may raise an ``LkmError``."""

    def __init__(self, command: Command, line: Line) -> None:
        self._command = command
        self._line = line
        self.arguments = line.arguments

    def module_names(self) -> list[str]:
        """Return the tree's modules, each spelled as its file is."""
        return [_stem(path) for path in self._module_paths()]

    def builtin_names(self) -> list[str]:
        """Return the modules that are compiled into the kernel."""
        text = _text.of_file(f"{self._directory()}/modules.builtin") or ""
        return [_stem(line) for line in text.splitlines() if line]

    def loaded_names(self) -> list[str]:
        """Return the loaded modules, in the kernel's spelling."""
        if self._on() == "sandbox":
            from lkm.kernel.sandbox import Sandbox

            with Sandbox() as sandbox:
                return [module.name for module in sandbox.modules()]
        if self._on() == "lab":
            return []  # it has not been started
        from lkm.kernel.live import LiveKernel

        return [module.name for module in LiveKernel().modules()]

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the module that the first word names."""
        from lkm.module.facts import Module

        file = self._file_of(self.arguments[0]) if self.arguments else ""
        if not file:
            return ()
        with Module.open(file) as module:
            return module.parameters

    def fields(self) -> tuple[str, ...]:
        """Return the keys that the first module named has, or those that modules commonly have."""
        from lkm.module.facts import Module
        from lkm.report.text import all_entries

        file = self._file_of(self.arguments[0]) if self.arguments else ""
        if not file:
            return _COMMON_FIELDS
        with Module.open(file) as module:
            keys = [key for key, _ in all_entries(module)]
        return tuple(dict.fromkeys(["filename", *[key for key in keys if key != "parmtype"]]))

    def releases(self) -> tuple[str, ...]:
        """Return the releases that have a tree, the newest first; lkm's verbs know fetched ones."""
        from lkm.tree.fetched import fetched_roots
        from lkm.tree.installed import release_order, releases

        found = set(releases(self._root() or "/"))
        if self._is_verb() and not self._root():
            found.update(fetched_roots())
        return tuple(sorted(found, key=release_order, reverse=True))

    def _on(self) -> str:
        if self._command.name in _OF_THE_SANDBOX:
            return "sandbox"
        return self._line.last("on") or "live"

    def _root(self) -> str:
        return os.path.expanduser(self._line.last("basedir", "dirname", "root"))

    def _directory(self) -> str:
        """Return the tree that names are looked up in. Raises ``NoTreeError``."""
        from lkm.tree.installed import releases, tree_directory

        root, release = self._root(), self._line.last("release")
        short = os.path.expanduser(self._line.last("kernel"))
        if os.path.isdir(short):
            return short
        release = release or ("" if "/" in short else short)
        if self._on() == "sandbox" and not (root and release):
            return self._sandbox_directory(root, release)
        if root and not release and self._is_verb():
            there = releases(root)
            release = there[0] if len(there) == 1 else ""
        if self._is_verb():
            from lkm.tree.fetched import root_of_release

            root = root or root_of_release(release)
        return tree_directory(root or "/", release or os.uname().release)

    def _sandbox_directory(self, root: str, release: str) -> str:
        from lkm.errors import NotBootedError
        from lkm.kernel.sandbox import Sandbox
        from lkm.teaching import RELEASE, teaching_root
        from lkm.tree.installed import tree_directory

        try:
            with Sandbox() as sandbox:
                status = sandbox.status()
        except NotBootedError:
            # It is what the command would boot.
            return tree_directory(root or teaching_root(), release or RELEASE)
        if not root and release in ("", status.release):
            return status.directory
        if self._is_verb():
            from lkm.tree.fetched import root_of_release

            root = root or root_of_release(release, status.root)
        return tree_directory(root or status.root, release or status.release)

    def _is_verb(self) -> bool:
        from lkm.cli.main import VERBS

        return self._command.name in VERBS

    def _module_paths(self) -> list[str]:
        directory = self._directory()
        lines = (_text.of_file(f"{directory}/modules.dep") or "").splitlines()
        if lines:
            return [line.partition(":")[0] for line in lines]
        found = []
        for folder, folders, files in os.walk(directory):
            folders[:] = [name for name in folders if name not in ("build", "source")]
            found += [f"{folder}/{name}" for name in files if is_module_file(name)]
        return sorted(found)

    def _file_of(self, word: str) -> str:
        """Return the file of the module that *word*, a path, a name or an alias, means."""
        path = os.path.expanduser(word)
        if is_module_file(path) and os.path.isfile(path):
            return path
        wanted = {module_name(word)}
        directory = self._directory()
        files = {module_name_of_path(each): each for each in self._module_paths()}
        if not wanted & files.keys() and os.path.isfile(f"{directory}/modules.alias.bin"):
            from lkm.names import alias_name
            from lkm.tree.catalog import Catalog

            wanted = set(Catalog.open(directory).aliases(alias_name(word))[:1])
        for name in wanted & files.keys():
            return os.path.join(directory, files[name])
        return ""


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]
