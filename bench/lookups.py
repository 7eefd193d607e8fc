"""Resolve modaliases in one process: ``lookups.py lkm|libkmod DIRECTORY LIST NAMES``.

Prints the seconds that it takes, from opening the tree on, and writes the names of the modules that
each word has found to the file NAMES, a line for each. Both do a whole look-up, with no
configuration.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path

Resolver = Callable[[str, list[str]], list[list[str]]]


def lkm() -> Resolver:
    """Return how lkm does it."""
    from lkm.config.settings import Settings
    from lkm.resolve.lookup import lookup_each
    from lkm.tree.catalog import Catalog

    def resolve(directory: str, words: list[str]) -> list[list[str]]:
        found = lookup_each(words, Catalog.open(directory), Settings())
        return [[each.name for each in modules] for modules in found]

    return resolve


def libkmod() -> Resolver:
    """Return how it is done with Debian's libkmod2."""
    library = ctypes.CDLL("libkmod.so.2")
    pointer = ctypes.c_void_p
    library.kmod_new.restype = pointer
    library.kmod_load_resources.argtypes = [pointer]
    look_up, forget = library.kmod_module_new_from_lookup, library.kmod_module_unref_list
    look_up.argtypes = [pointer, ctypes.c_char_p, pointer]
    forget.argtypes = [pointer]
    following, module = library.kmod_list_next, library.kmod_module_get_module
    following.argtypes, following.restype = [pointer, pointer], pointer
    module.argtypes, module.restype = [pointer], pointer
    name, forget_one = library.kmod_module_get_name, library.kmod_module_unref
    name.argtypes, name.restype = [pointer], ctypes.c_char_p
    forget_one.argtypes = [pointer]
    no_configuration = (ctypes.c_char_p * 1)(None)

    def names(found: ctypes.c_void_p) -> list[str]:
        listed = []
        each = found.value
        while each:
            one = module(each)
            listed.append(name(one).decode())
            forget_one(one)
            each = following(found, each)
        return listed

    def resolve(directory: str, words: list[str]) -> list[list[str]]:
        context = library.kmod_new(directory.encode(), no_configuration)
        library.kmod_load_resources(context)
        answers = []
        for word in words:
            found = pointer(None)
            look_up(context, word.encode(), ctypes.byref(found))
            answers.append(names(found))
            forget(found)
        return answers

    return resolve


def main(who: str, directory: str, listed: str, written: str) -> None:
    """Time one of the two; its import is not the work."""
    words = Path(listed).read_text().split()
    resolve = lkm() if who == "lkm" else libkmod()
    start = time.perf_counter()
    answers = resolve(directory, words)
    print(time.perf_counter() - start)
    Path(written).write_text(
        "".join(f"{word} {' '.join(names)}\n" for word, names in zip(words, answers, strict=True))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
