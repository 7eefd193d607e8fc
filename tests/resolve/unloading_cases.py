"""What is loaded, and what ``modprobe -n`` then would do: for kmod and for us alike.

kmod's dry run reads the same reference counts throughout, ours thinks ahead; the cases are such
that both come to the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from lkm.kernel.loaded import LoadedModule
from lkm.names import ModuleName


@dataclass(frozen=True)
class UnloadCase:
    name: str
    loaded: str  # NAME:REFCNT:HOLDER,HOLDER:STATE ..., the fields from the right may be missing
    options: tuple[str, ...]
    word: str
    text: str = ""


CHAIN = "a b:1:a c:2:a,b"
SOFT = "softdep a pre: p both post: s1 s2\n"

CASES = (
    UnloadCase("a module with its dependencies", CHAIN, ("-r",), "a"),
    UnloadCase("softdeps around it, in reverse", f"{CHAIN} p s1 s2", ("-r",), "a", SOFT),
    UnloadCase("softdeps that are not loaded", f"{CHAIN} s1", ("-r",), "a", SOFT),
    UnloadCase("nothing is loaded", "", ("-r",), "a", SOFT),
    UnloadCase("in use", "a:1:h1 h1 b:2:a,h1 c:3:a,b,h1", ("-r",), "a"),
    UnloadCase("in use by no module", "a:1", ("-r",), "a"),
    UnloadCase("a pre softdep in use", f"{CHAIN} p:1 s1", ("-r",), "a", SOFT),
    UnloadCase("a post softdep in use", f"{CHAIN} p s1:1", ("-r",), "a", SOFT),
    UnloadCase("a softdep in use with -a", f"{CHAIN} p s1:1", ("-r", "-a"), "a", SOFT),
    UnloadCase("waiting", "a:1 p s1", ("-r", "-w9"), "a", SOFT),
    UnloadCase("coming", "a:0::coming", ("-r",), "a"),
    UnloadCase("an alias with several modules", "q snd_core", ("-r",), "sound:xyz"),
    UnloadCase("the first of several in use", "p:1:q q snd_core:1", ("-r",), "sound:xyz"),
    UnloadCase("a later one of several in use", "p:1:q q snd_core", ("-r",), "sound:xyz"),
    UnloadCase(
        "a remove command",
        "c:3 p q",
        ("-r",),
        "c",
        "remove c x $CMDLINE_OPTS  y\nsoftdep c pre: p\n",
    ),
    UnloadCase("a remove command of what is not loaded", "", ("-r",), "c", "remove c x\n"),
    UnloadCase("a remove command of no module", "", ("-r",), "foo", "remove foo x\n"),
    UnloadCase("a remove command by a pattern", "c", ("-r",), "c", "remove [c] 1\nremove c 2\n"),
    UnloadCase(
        "a remove command of a softdep", "c p", ("-r",), "c", "remove p x\nsoftdep c post: p\n"
    ),
    UnloadCase(
        "commands and softdeps ignored", "c p", ("-r", "-i"), "c", "remove c x\nsoftdep c pre: p\n"
    ),
    UnloadCase("a holder", "c:1:x x", ("-r",), "c"),
    UnloadCase("an alias to nowhere", "", ("-r",), "foo", "alias foo nosuch\n"),
    UnloadCase("blacklists do not count", "p", ("-r",), "al-a-1", "blacklist p\n"),
    UnloadCase("dependencies without users go in loading order", "own q p", ("-r",), "q"),
    UnloadCase("load: all", "", (), "a", SOFT),
    UnloadCase("load: it is there", "a", (), "a", SOFT),
    UnloadCase("load: a dependency is there", "c", (), "a", SOFT),
    UnloadCase("load: a softdep is there", "p", (), "a", SOFT),
    UnloadCase("load: coming is not there", "c:0::coming a:0::coming", (), "a"),
    UnloadCase("load: going is not there", "c:0::going", (), "c"),
    UnloadCase("load: a built-in", "", (), "bi-one"),
    UnloadCase("load: a built-in with a file", "", (), "both"),
    UnloadCase("load: one of several is there", "p", (), "sound:xyz"),
    UnloadCase("load: twice what two need", "", (), "foo", "alias foo a\nalias foo b\n"),
    UnloadCase("load: an install command of what is there", "c", (), "c", "install c x\n"),
    UnloadCase("load: a blacklisted one that is there", "p", (), "al-a-1", "blacklist p\n"),
)


def loaded_modules(text: str) -> tuple[LoadedModule, ...]:
    """Return the modules that *text* (as in ``UnloadCase.loaded``) lists."""
    found = []
    for word in text.split():
        name, refcnt, holders, state = (*word.split(":"), "", "", "")[:4]
        found.append(
            LoadedModule(
                name=ModuleName(name),
                size=4096,
                refcnt=int(refcnt or 0),
                holders=tuple(ModuleName(holder) for holder in holders.split(",") if holder),
                state=state or "live",
            )
        )
    return tuple(found)
