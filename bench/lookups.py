"""Resolve modaliases in one process: ``lookups.py lkm|libkmod DIRECTORY LIST COUNTS``.

Prints the seconds that it takes, from opening the tree on, and writes how many modules each word
has found to the file COUNTS.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path

Resolver = Callable[[str, list[str]], list[int]]


def lkm() -> Resolver:
    """Return how lkm does it."""
    from lkm.names import alias_name
    from lkm.tree.catalog import Catalog

    def resolve(directory: str, words: list[str]) -> list[int]:
        catalog = Catalog.open(directory)
        return list(map(len, catalog.aliases_of_each([alias_name(word) for word in words])))

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
    following = library.kmod_list_next
    following.argtypes, following.restype = [pointer, pointer], pointer
    no_configuration = (ctypes.c_char_p * 1)(None)

    def resolve(directory: str, words: list[str]) -> list[int]:
        context = library.kmod_new(directory.encode(), no_configuration)
        library.kmod_load_resources(context)
        counts = []
        for word in words:
            found = pointer(None)
            look_up(context, word.encode(), ctypes.byref(found))
            count, each = 0, found.value
            while each:
                count += 1
                each = following(found, each)
            forget(found)
            counts.append(count)
        return counts

    return resolve


def main(who: str, directory: str, listed: str, counted: str) -> None:
    """Time one of the two; its import is not the work."""
    words = Path(listed).read_text().split("\n")
    resolve = lkm() if who == "lkm" else libkmod()
    start = time.perf_counter()
    counts = resolve(directory, words)
    print(time.perf_counter() - start)
    Path(counted).write_text("\n".join(map(str, counts)))


if __name__ == "__main__":
    main(*sys.argv[1:])
