"""Made-up configurations and words, over the tree of ``trees``: for kmod and for us alike."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    words: tuple[str, ...]  # the first names the module, the others are its parameters
    text: str = ""
    options: str = ""  # of modprobe: "i" ignore commands, "b" use blacklists


CASES = (
    Case("dependencies come in loading order", ("a",)),
    Case("a dash is an underscore", ("snd-pcm",)),
    Case("the module's own softdep counts once", ("own",)),
    Case("a file's softdep goes before the module's own", ("own",), "softdep own post: b\n"),
    Case("parameters follow one blank", ("c", "x=1", "y")),
    Case("options are joined", ("c",), "options c a=1\noptions c  b=2\n"),
    Case("options stand before parameters", ("c", "x=1"), "options c a=1\n"),
    Case("parameters are for the asked module only", ("a", "x=1"), "options c a=1\n"),
    Case("options of an alias count when asked by it", ("al-a-1",), "options al-a-1 v=1\n"),
    Case("options of an alias do not count by name", ("p",), "options al-a-1 v=1\n"),
    Case("options of an alias pattern", ("foo",), "alias f* c\noptions f* v=1\noptions foo v=2\n"),
    Case("an alias may have several modules", ("sound:xyz", "x=1"), "options p a=1\n"),
    Case("several alias lines", ("foo",), "alias foo c\nalias f?o b\nalias [f]oo c\n"),
    Case("an alias to nowhere prints nothing", ("foo",), "alias foo nosuch\n"),
    Case("an alias over a module's name", ("c",), "alias c b\n"),
    Case("an alias in a softdep", ("c",), "softdep c pre: sound:xyz al-b-2\n"),
    Case("softdep chains", ("c",), "softdep c pre: b\nsoftdep p post: q\nsoftdep b post: p\n"),
    Case("softdeps in a loop", ("c",), "softdep c pre: p\nsoftdep p pre: c\n"),
    Case("a softdep on itself", ("c",), "softdep c pre: c post: c\n"),
    Case("a dependency that is a softdep too", ("a",), "softdep a pre: c post: b\n"),
    Case("a dependency with softdeps", ("a",), "softdep c pre: p post: q\n"),
    Case("softdeps with patterns", ("a",), "softdep [bc] pre: p\n"),
    Case("softdep order is free", ("c",), "softdep c post: p pre: q post: b\n"),
    Case("unknown softdeps are passed over", ("c",), "softdep c pre: nosuch b post: x[y\n"),
    Case("softdeps of built-ins", ("bi-one",), "softdep bi_one pre: c post: p\n"),
    Case("a built-in softdep", ("c",), "softdep c pre: bi-one bi:zz\n"),
    Case("one module by two aliases", ("c",), "softdep c pre: al-a-1 al-b-2 p\noptions al-a-1 v\n"),
    Case("a built-in", ("bi-one",)),
    Case("a built-in by its alias", ("bi:zz",)),
    Case("a built-in that only its alias makes known", ("fs-core",)),
    Case("a softdep on such a built-in", ("c",), "softdep c pre: fs-core core post: fs-core\n"),
    Case("a built-in that has a file too", ("both",)),
    Case("a symbol", ("symbol:sym_b",)),
    Case("install", ("c", "x=1"), "install c /bin/echo $CMDLINE_OPTS\noptions c a=1\n"),
    Case("install of a dependency", ("a",), "install c /bin/echo  c \n"),
    Case("install by a pattern, the first wins", ("b",), "install [bc] one\ninstall c two\n"),
    Case("install ignored for the asked module only", ("a",), "install * cmd\n", "i"),
    Case("install ignored leaves out own softdeps", ("own",), "install own cmd\n", "i"),
    Case("install goes unheard with a softdep", ("c",), "install c cmd\nsoftdep c pre: p\n"),
    Case("install counts if softdeps are unknown", ("c",), "install c cmd\nsoftdep c pre: no\n"),
    Case("install of a name without a module", ("foo",), "install foo cmd\noptions foo a=1\n"),
    Case("install by exact name beats a pattern", ("foo",), "install f* one\ninstall foo two\n"),
    Case("install ignored of a name without a module", ("foo",), "install foo cmd\n", "i"),
    Case("remove of a name without a module", ("foo",), "remove foo cmd\n"),
    Case("install of a built-in", ("bi-one",), "install bi-one cmd\n"),
    Case("blacklist by name", ("c",), "blacklist c\n"),
    Case("blacklist by name with -b", ("c",), "blacklist c\n", "b"),
    Case("blacklist of a dependency with -b", ("a",), "blacklist c\n", "b"),
    Case("blacklist by alias", ("al-a-1",), "blacklist p\n"),
    Case("blacklist by one of several", ("sound:xyz",), "blacklist snd-core\n"),
    Case("blacklist by an alias line", ("foo",), "alias foo c\nblacklist c\n"),
    Case("blacklist of a softdep's alias", ("c",), "softdep c pre: al-a-1\nblacklist p\n"),
    Case("blacklist is no pattern", ("al-a-1",), "blacklist *\n"),
    Case("weak dependencies are not loaded", ("c",), "weakdep c p q\n"),
)
