"""modinfo of every file and of every built-in module of a kernel, whole and by field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lkm.tree.catalog import Catalog
from tests.oracle.whole_kernels import Pair, Result, chunks, compared, our

FORMS = (
    ("-F", "alias"),
    ("-F", "depends"),
    ("-F", "parm"),
    ("-F", "parmtype"),
    ("-F", "signer"),
    ("-F", "signature"),
    ("-F", "vermagic"),
    ("-F", "nosuch"),
    ("-p",),
    ("-n",),
    ("-a",),
    ("-d",),
    ("-l",),
    ("-0",),
    ("-0", "-F", "firmware"),
)
# Each form takes so many-th of the files, each another share: to unpack all of them costs most.
_SHARE = 4
_IN_ONE_CALL = 500
_A_FILE = re.compile(r"(?m)^(?=filename: {7}/)")
_A_BUILTIN = re.compile(r"(?m)^(?=name: {11}.*\nfilename: {7}\(builtin\))")


def compare_modinfo(pair: Pair) -> Iterator[Result]:
    """Compare modinfo of all files and built-ins, and a share of the files in each of ``FORMS``."""
    files = pair.files()
    yield from _blocks(pair, "every file", _A_FILE, (), files)
    catalog = Catalog.open(str(pair.theirs / "lib/modules" / pair.release))
    tree = ("-b", str(pair.theirs), "-k", pair.release)
    names = list(dict.fromkeys([each.name for each in catalog.builtins()]))
    yield from _blocks(pair, "every built-in", _A_BUILTIN, tree, names)
    by_name = [entry.name for entry in catalog.entries()]
    yield from _blocks(pair, "every module by name", _A_FILE, tree, by_name)
    equal, total = 0, 0
    differences: list[str] = []
    for number, form in enumerate(FORMS):
        result = _one_form(pair, form, files[number % _SHARE :: _SHARE])
        equal, total = equal + result.equal, total + result.total
        differences += result.differences
    name = f"modinfo, {len(FORMS)} forms, each of every {_SHARE}th file"
    yield Result(name, equal, total, tuple(differences))


def _blocks(
    pair: Pair,
    name: str,
    start: re.Pattern[str],
    options: Sequence[str],
    words: Sequence[str],
) -> Iterator[Result]:
    blocks: dict[str, list[str]] = {"kmod": [], "lkm": []}
    said: dict[str, list[str]] = {"kmod": [], "lkm": []}
    for chunk in chunks(words, _IN_ONE_CALL):
        for who, run in (("kmod", pair.kmod), ("lkm", our)):
            ran = run("modinfo", *options, *chunk)
            blocks[who] += start.split(ran.out)[1:]
            said[who] += [*ran.err.splitlines(), f"status {ran.status}"]
    # Where kmod has no block for a word, the messages say so.
    subjects = [block.partition("\n")[0] for block in blocks["kmod"]]
    yield compared(f"modinfo, {name}", subjects, blocks["kmod"], blocks["lkm"])
    yield compared(f"modinfo, {name}, messages", said["kmod"], said["kmod"], said["lkm"])


def _one_form(pair: Pair, form: Sequence[str], files: Sequence[str]) -> Result:
    equal = 0
    differences: tuple[str, ...] = ()
    for chunk in chunks(files, _IN_ONE_CALL):
        theirs, ours = pair.kmod("modinfo", *form, *chunk), our("modinfo", *form, *chunk)
        if theirs.err == ours.err and theirs.out == ours.out:
            equal += len(chunk)
            continue
        result = compared(
            " ".join(form),
            [f"modinfo {' '.join(form)} {path}" for path in chunk],
            [pair.kmod("modinfo", *form, path).out for path in chunk],
            [our("modinfo", *form, path).out for path in chunk],
        )
        equal += result.equal
        differences += result.differences
    return Result(" ".join(form), equal, len(files), differences)
