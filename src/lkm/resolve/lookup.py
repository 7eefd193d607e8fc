"""From a word to modules.

Source: kmod, libkmod/libkmod-module.c, kmod_module_new_from_lookup: the first step that yields
anything ends the search.
"""

from __future__ import annotations

from lkm._value import Value
from lkm.errors import BadNameError
from lkm.names import ModuleName, alias_name, config_word, module_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from lkm.config.directives import Source
    from lkm.config.settings import Settings
    from lkm.tree.catalog import Catalog


class Found(Value):
    """A module that a word stands for.

    *alias* is the alias it was found by, "" if by its own name: the pattern of an alias line, or
    the word itself. *via* tells the step: ``alias directive``, ``name``, ``symbol``, ``install``,
    ``remove``, ``modules.alias``, ``builtin`` or ``builtin alias``. *source* is the configuration
    line that led here, if one did.
    """

    __slots__ = ("alias", "name", "source", "via")

    def __init__(
        self, name: ModuleName, alias: str, via: str, source: Source | None = None
    ) -> None:
        self.name: Final = name
        self.alias: Final = alias
        self.via: Final = via
        self.source: Final = source


def lookup(word: str, catalog: Catalog, settings: Settings) -> tuple[Found, ...]:
    """Return the modules that *word* stands for, in modprobe's order; empty if none is known.

    A word with an unmatched bracket stands for nothing.
    """
    try:
        word = alias_name(word)
    except BadNameError:
        return ()
    return (
        _before_aliases(word, catalog, settings)
        or _by_alias(word, catalog.aliases(word))
        or _by_builtin(word, catalog)
    )


def lookup_each(
    words: Iterable[str], catalog: Catalog, settings: Settings
) -> list[tuple[Found, ...]]:
    """Return what ``lookup`` returns for each of *words*, at a fraction of the cost for many.

    They go down the indexes of aliases together.
    """
    asked = list(words)
    answers: dict[str, tuple[Found, ...]] = {}
    names: dict[str, str] = {}  # of the words that are left to the indexes of aliases
    for word in dict.fromkeys(asked):
        try:
            name = alias_name(word)
        except BadNameError:
            answers[word] = ()
            continue
        answers[word] = _before_aliases(name, catalog, settings)
        if not answers[word]:
            names[word] = name
    by_alias = catalog.aliases_of_each(names.values())
    for (word, name), modules in zip(names.items(), by_alias, strict=True):
        answers[word] = _by_alias(name, modules) or _by_builtin_name(name, catalog)
    names = {word: name for word, name in names.items() if not answers[word]}
    by_builtin = catalog.builtin_aliases_of_each(names.values())
    for (word, name), modules in zip(names.items(), by_builtin, strict=True):
        answers[word] = _by_builtin_alias(name, modules)
    return [answers[word] for word in asked]


def _before_aliases(word: str, catalog: Catalog, settings: Settings) -> tuple[Found, ...]:
    """Return what the steps before the index of aliases find for the normalised *word*."""
    directives = settings.aliases_for(word)
    if directives:
        return tuple(
            [
                Found(ModuleName(line.module), line.pattern, "alias directive", line.source)
                for line in directives
            ]
        )
    if ":" not in word and catalog.entry(ModuleName(word)) is not None:
        return (Found(module_name(word), "", "name"),)
    if word.startswith("symbol:"):
        owners = catalog.symbol_owners(word)
        if owners:
            return tuple([Found(name, word, "symbol") for name in owners])
    return _by_command(word, settings)


def lookup_name(word: str, catalog: Catalog) -> tuple[Found, ...]:
    """Return the modules of the name *word*, which is never taken for an alias of a module.

    As ``modinfo -m``; empty if there is none.

    Source: kmod, libkmod/libkmod-module.c, kmod_module_new_from_name_lookup.
    """
    name = module_name(word)
    if ":" not in name and catalog.entry(name) is not None:
        return (Found(name, "", "name"),)
    return _by_builtin(name, catalog)


def is_bad(word: str) -> bool:
    """Tell whether *word* cannot be looked up at all, for an unmatched bracket in it."""
    try:
        config_word(word)
    except BadNameError:
        return True
    return False


def is_builtin(found: Found, catalog: Catalog) -> bool:
    """Tell whether the module that was found is built into the kernel.

    Not all that modules.builtin.modinfo gives aliases of stand in modules.builtin (tracefs).
    """
    return found.via == "builtin alias" or catalog.is_builtin(found.name)


def _by_command(word: str, settings: Settings) -> tuple[Found, ...]:
    install = settings.install_named(word)
    if install is not None:
        return (Found(module_name(word), "", "install", install.source),)
    remove = settings.remove_named(word)
    if remove is not None:
        return (Found(module_name(word), "", "remove", remove.source),)
    return ()


def _by_alias(word: str, modules: tuple[ModuleName, ...]) -> tuple[Found, ...]:
    return tuple([Found(name, word, "modules.alias") for name in modules])


def _by_builtin(word: str, catalog: Catalog) -> tuple[Found, ...]:
    return _by_builtin_name(word, catalog) or _by_builtin_alias(word, catalog.builtin_aliases(word))


def _by_builtin_name(word: str, catalog: Catalog) -> tuple[Found, ...]:
    if ":" not in word and catalog.is_builtin(ModuleName(word)):
        return (Found(module_name(word), "", "builtin"),)
    return ()


def _by_builtin_alias(word: str, modules: tuple[ModuleName, ...]) -> tuple[Found, ...]:
    return tuple([Found(name, word, "builtin alias") for name in modules])
