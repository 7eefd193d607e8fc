"""lkm depmod: write the indexes of a modules directory."""

from __future__ import annotations

import os

from lkm._text import decode
from lkm.cli.console import one_line
from lkm.cli.dropin import HELP, JSON, ON, VERBOSE, VERSION, Command
from lkm.cli.options import Option
from lkm.cli.target import Target
from lkm.config.depmod_d import DepmodSettings
from lkm.errors import CycleError, NoTreeError
from lkm.tree.depmod import build_indexes, text_of, write_indexes
from lkm.tree.installed import index_state, looks_like_a_release

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.cli.console import Console
    from lkm.cli.options import Parsed
    from lkm.tree.depmod import Indexes

COMMAND = Command(
    "depmod",
    "depmod [OPTION...] [RELEASE]",
    "Write the indexes of a modules directory, that of RELEASE or of the running kernel.",
    (
        Option("all", "a", ("all",), "index all modules: the default"),
        Option("quick", "A", ("quick",), "only if a module is newer than the indexes"),
        Option("basedir", "b", ("basedir",), "another file system root", argument="ROOT"),
        Option("outdir", "o", ("outdir",), "write below this root instead", argument="ROOT"),
        Option(
            "config", "C", ("config",), "read this instead of depmod.d; repeatable", argument="PATH"
        ),
        Option("dry_run", "n", ("dry-run", "show"), "print the text files, write nothing"),
        VERBOSE,
        ON,
        JSON,
        VERSION,
        HELP,
    ),
)


def run(parsed: Parsed, console: Console) -> int:
    """Index one tree; return 0, or 1 with the reason on stderr."""
    release, *files = parsed.arguments or ("",)
    if files:
        console.error("a list of module files is not supported; name a RELEASE alone")
        return 1
    if release and not looks_like_a_release(release):
        console.error(f"Bad version passed {release}")
        return 1
    target = Target(parsed.last("on"), console, root=parsed.last("basedir"), release=release)
    try:
        directory = os.path.abspath(target.directory)
    except NoTreeError as error:
        console.error(f"could not open directory {one_line(error)}")
        return 1
    if parsed.has("quick") and index_state(directory) == "up to date":
        if console.json:
            from lkm.report.documents.trees import up_to_date_document

            console.document = up_to_date_document(directory)
        return 0
    indexes = _indexes(directory, parsed, target, console)
    if indexes is None:
        return 1
    if console.json:
        from lkm.report.documents.trees import depmod_document

        console.document = depmod_document(directory, indexes)
    elif parsed.has("dry_run"):
        console.out.write(decode(text_of(indexes)))
    if not parsed.has("dry_run"):
        write_indexes(indexes.files, _out_directory(parsed, directory))
    return 0


def _indexes(directory: str, parsed: Parsed, target: Target, console: Console) -> Indexes | None:
    """Return the tree's indexes, None where modules need each other.

    Says on stderr what is wrong with the configuration, a file or the modules.
    """
    settings = DepmodSettings.read(target.config_root, parsed.every("config"))
    for complaint in settings.complaints:
        console.raw(complaint.kmod_text)
    try:
        indexes = build_indexes(directory, rules=settings.rules(os.path.basename(directory)))
    except CycleError as error:
        console.cause = error
        for line in error.kmod_lines:
            console.error(line)
        return None
    for problem in indexes.problems:
        console.say(problem.level, problem.text)
    return indexes


def _out_directory(parsed: Parsed, directory: str) -> str:
    root = parsed.last("outdir")
    if not root:
        return directory
    return f"{os.path.abspath(root)}/lib/modules/{os.path.basename(directory)}"
