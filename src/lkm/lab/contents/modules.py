"""Put modules into a guest: files of a kernel's tree, with indexes of just these."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from lkm.config.modprobe_d import parse
from lkm.config.settings import Settings
from lkm.errors import LabError, LkmError
from lkm.lab.contents.files import Files
from lkm.module.facts import Module
from lkm.resolve.lookup import lookup
from lkm.resolve.plan import Insert
from lkm.resolve.resolver import plan_loads
from lkm.tree.catalog import Catalog
from lkm.tree.depmod.indexes import INDEX_FILES, build_indexes

ALL = "all"
"""The word for every module of the tree."""

# What the kernel's build leaves in a tree, which depmod reads.
_OF_THE_BUILD = ("modules.builtin", "modules.builtin.modinfo", "modules.order")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
# What is given to these may be an alias. A text with quotes and several commands is split roughly:
# what is not known is passed over.
_TAKE_ALIASES = frozenset({"modprobe", "modinfo"})
_SHELL_ENDS = frozenset(";|&()\n")
_SHELL_WORD = re.compile(r"[;|&()\n]|[^\s;|&()'\"]+")
# A path, or a parameter with its value.
_NOT_ALIAS = re.compile(r"[/=]")
# So many are asked for only where all are; to index them anew would take seconds.
_FEW = 1000


def modules_asked_for(catalog: Catalog, words: Iterable[str]) -> tuple[str, ...]:
    """Return the files of the modules that *words* stand for, with all that these need.

    A word is a name, an alias or a modalias; "all" is all of them. Dependencies and soft
    dependencies come along, what is built in has no file. Raises ``NoSuchModuleError``.
    """
    settings = _trees_own(catalog)
    found: dict[str, None] = {}
    for word in words:
        if word == ALL:
            return tuple(catalog.file(entry.path) for entry in catalog.entries())
        for plan in plan_loads(word, catalog, settings, show_all=True):
            found.update((step.path, None) for step in plan.steps if isinstance(step, Insert))
    return tuple(found)


def modules_named(catalog: Catalog, text: str) -> tuple[str, ...]:
    """Return the names in *text*, a command line, that are names of the tree's modules.

    Of what modprobe and modinfo are given there also the aliases that stand for modules.
    """
    names = (
        word
        for word in _NAME.findall(text)
        if word != ALL and catalog.entry(word.replace("-", "_")) is not None
    )
    return tuple(dict.fromkeys([*names, *_aliases_in(catalog, text)]))


def _aliases_in(catalog: Catalog, text: str) -> list[str]:
    """Return the words behind modprobe and modinfo in *text* that stand for modules."""
    words: dict[str, None] = {}
    behind = False
    for word in _SHELL_WORD.findall(text):
        if word in _SHELL_ENDS:
            behind = False
        elif os.path.basename(word) in _TAKE_ALIASES:
            behind = True
        elif behind and not word.startswith("-") and word != ALL and not _NOT_ALIAS.search(word):
            words[word] = None
    settings = _trees_own(catalog) if words else Settings([])
    return [word for word in words if lookup(word, catalog, settings)]


def needed_by_files(catalog: Catalog, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the tree's modules that the module files at *paths* depend on.

    What is not in the tree is left out: the kernel itself will say what it lacks.
    """
    found: dict[str, None] = {}
    for path in paths:
        try:
            with Module.open(path) as module:
                depends = module.depends
        except LkmError:
            continue  # whoever loads it is told
        found.update((name, None) for name in depends if catalog.entry(name) is not None)
    return tuple(found)


def add_modules(files: Files, directory: str, release: str, paths: Sequence[str]) -> None:
    """Put the module files at *paths*, which lie in the tree *directory*, into *files*.

    They lie in ``/lib/modules/RELEASE`` there, with indexes of their own; where they are more
    than a thousand, its indexes come along as they are. Raises ``FileError``.
    """
    target = f"/lib/modules/{release}"
    # As a catalog makes the paths of its files.
    directory = os.path.join(os.getcwd(), directory)
    files.folder(target)
    for name in _OF_THE_BUILD:
        if os.path.isfile(f"{directory}/{name}"):
            files.copy(f"{directory}/{name}", f"{target}/{name}")
    for path in paths:
        files.copy(path, target + path.removeprefix(directory))
    indexes = [f"{directory}/{name}" for name in INDEX_FILES]
    if len(paths) > _FEW and all(os.path.isfile(path) for path in indexes):
        for path in indexes:
            files.copy(path, f"{target}/{os.path.basename(path)}")
        return
    for name, data in build_indexes(directory, files=paths).files.items():
        files.add(f"{target}/{name}", data)


def check_release(paths: Sequence[str], release: str) -> None:
    """Raise ``LabError`` where the first of *paths* was built for another kernel than *release*."""
    if not paths:
        return
    with Module.open(paths[0]) as module:
        built_for = (module.vermagic or "").partition(" ")[0]
    if built_for and built_for != release:
        error = LabError(f"{paths[0]} is a module of {built_for}, and the kernel is {release}")
        error.remedy = "name the tree that belongs to the kernel: --root, or --kernel"
        raise error


def _trees_own(catalog: Catalog) -> Settings:
    """Return the tree's soft and weak dependencies; nobody's modprobe.d counts here."""
    return Settings([line for path, text in catalog.config_texts() for line in parse(text, path)])
