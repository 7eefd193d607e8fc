"""lkm depmod: write the indexes of a modules directory."""

from __future__ import annotations

import errno
import os

from lkm._text import decode
from lkm.cli.depmod_input import (
    Place,
    absolute,
    checks_of,
    fatal,
    index_files,
    index_tree,
    kernel_symbols,
    nothing_to_do,
    place_of,
    rules_of,
    say,
)
from lkm.cli.dropin import HELP, JSON, NO_CACHE, ON, VERBOSE, VERSION, Command
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.errors import FileError, UsageError
from lkm.tree.installed import looks_like_a_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.tree.depmod.indexes import Indexes

COMMAND = Command(
    "depmod",
    "depmod [OPTION...] [RELEASE [MODULEFILE...]]",
    "Write the indexes of a modules directory, that of RELEASE or of the running kernel.",
    (
        Option("all", "a", ("all",), "index all modules: the default unless files are named"),
        Option("quick", "A", ("quick",), "only if a module is newer than the indexes"),
        Option("basedir", "b", ("basedir",), "another file system root", argument="ROOT"),
        Option(
            "moduledir",
            "m",
            ("moduledir",),
            "where the modules are below the root, instead of lib/modules",
            argument="DIR",
        ),
        Option("outdir", "o", ("outdir",), "write below this root instead", argument="ROOT"),
        Option(
            "config", "C", ("config",), "read this instead of depmod.d; repeatable", argument="PATH"
        ),
        Option(
            "symvers", "E", ("symvers",), "the kernel's Module.symvers, for -e", argument="FILE"
        ),
        Option("filesyms", "F", ("filesyms",), "the kernel's System.map, for -e", argument="FILE"),
        Option("errsyms", "e", ("errsyms",), "report symbols that nobody exports; needs -E or -F"),
        Option("dry_run", "n", ("dry-run", "show"), "print the text files, write nothing"),
        Option(
            "symbol_prefix",
            "P",
            ("symbol-prefix",),
            "a character that does not count before a symbol",
            argument="CHARACTER",
        ),
        Option("warn", "w", ("warn",), "report duplicates"),
        VERBOSE,
        ON,
        NO_CACHE,
        JSON,
        VERSION,
        HELP,
    ),
    words=("RELEASE", "MODULEFILE..."),
)

# What a disk that is full, or fails, answers while a file is written.
_CUT_SHORT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NOT_INTO_ITS_TREE = ("basedir", "outdir", "dry_run")
_NO_TREE = (
    "the sandbox has no tree of its own to write into: depmod -b DIR RELEASE writes DIR's; with "
    "--on sandbox name -o DIR or -n"
)
_MEANT = "depmod RELEASE MODULEFILE...: the kernel's release comes first"


def run(parsed: Parsed, console: Console) -> int:
    """Index one tree; return 0, or 1 with the reason on stderr."""
    prefix = parsed.last("symbol_prefix")
    if parsed.has("symbol_prefix") and len(os.fsencode(prefix)) != 1:
        text = "-P only takes a single char"
        return fatal(console, text, UsageError(text))
    release, *files = parsed.arguments or ("",)
    if parsed.arguments and not looks_like_a_release(release):
        console.misused(f"Bad version passed {release}")
        if os.path.exists(release):
            console.hint(_MEANT)
        return 1
    if parsed.last("on") == "sandbox" and not any(map(parsed.has, _NOT_INTO_ITS_TREE)):
        # It lies in a folder of the host's, whose own kernel may go by it.
        raise UsageError(_NO_TREE)
    target = Target(
        parsed.last("on"), console, root=absolute(parsed, "basedir"), release=release or None
    )
    place = place_of(parsed, target, release)
    if parsed.has("quick") and (parsed.has("dry_run") or nothing_to_do(place, console)):
        if console.json:
            from lkm.report.documents.depmod import up_to_date_document

            looked = not parsed.has("dry_run")
            console.document = up_to_date_document(place.directory, looked=looked)
        return 0
    try:
        kernel = kernel_symbols(parsed, prefix)
    except FileError as error:
        return fatal(console, f"could not load {error.path}: {os.strerror(error.errno)}", error)
    checks = checks_of(parsed, console, kernel, prefix)
    everything = not files or parsed.has("all") or parsed.has("quick")
    if everything:
        rules = rules_of(parsed, target, place, console)
        indexes = index_tree(place, rules, checks, console)
    else:
        indexes = index_files(place, files, checks, console)
    return 1 if indexes is None else _finish(indexes, place, parsed, console)


def _finish(indexes: Indexes, place: Place, parsed: Parsed, console: Console) -> int:
    """Say what was found, print or write the *indexes*; return the exit status."""
    shown = parsed.has("dry_run")
    # kmod gets to no binary index then, and so meets nothing on the way.
    no_binary = shown or not (os.path.isdir(place.directory) or place.out != place.directory)
    said = [one for one in indexes.problems if not (no_binary and one.index.endswith(".bin"))]
    say(said, console)
    if parsed.has("verbose") and not console.json:
        for user, symbol, owner in indexes.uses():
            console.out.write(f'{user.path} needs "{symbol}": {owner.path}\n')
    if indexes.cycle is not None:
        console.cause = indexes.cycle
        console.hint(
            "the modules of a cycle cannot be loaded; all else is indexed as ever; "
            + indexes.cycle.remedy
        )
    if shown and not console.json:
        from lkm.tree.depmod.indexes import text_of  # -A alone does not need it

        console.out.write(decode(text_of(indexes)))
    if not shown and not _write(indexes, place, console):
        return 1
    if console.json:
        from lkm.report.documents.depmod import depmod_document

        console.document = depmod_document(
            place.directory,
            indexes,
            written_to=None if shown else place.out,
            texts=shown,
            uses=parsed.has("verbose"),
        )
    return 0 if indexes.cycle is None else 1


def _write(indexes: Indexes, place: Place, console: Console) -> bool:
    from lkm.tree.depmod.indexes import write_indexes  # -A alone does not need it

    if place.out == place.directory and not os.path.isdir(place.out):
        reason = os.strerror(errno.ENOENT)
        missing = FileError("open", place.out, errno.ENOENT)
        fatal(console, f"could not open directory {place.out}: {reason}", missing)
        return False
    try:
        write_indexes(
            indexes.files,
            place.out,
            unfinished=indexes.cycle is not None,
            waiting=lambda: console.hint(f"another depmod is writing into {place.out}; waiting"),
        )
    except FileError as error:
        if error.errno in _CUT_SHORT:
            reason = f"Output is truncated: {os.strerror(error.errno)}"
            name = os.path.basename(error.path)
            console.failed_by(f"Could not create index '{name}'. {reason}", error)
            console.hint("none of the indexes has changed")
        else:
            console.failed_by(str(error), error)
        return False
    return True
