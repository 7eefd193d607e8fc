"""Find modules of a kernel by name or file, or by what they declare.

Every criterion given must hold. PATTERN, and each criterion but --modalias, may hold *, ? and
[...]; without them names, parameters and symbols must be equal, and other texts must stand
somewhere in the module's, whatever their case. Exit status: 0 found, 1 nothing found.
"""

from __future__ import annotations

from lkm._text import printable
from lkm.cache import default_cache
from lkm.cli import which_kernel
from lkm.cli.plain import Plain
from lkm.cli.progress import Bar
from lkm.diagnose.find import Criteria, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from lkm.cli.console import Console
    from lkm.diagnose.find import Hit
    from lkm.errors import LkmError

_CRITERIA = {
    "description": ("TEXT", "in the module's description"),
    "author": ("TEXT", "in an author's name"),
    "license": ("TEXT", "in the licence"),
    "alias": ("TEXT", "in an alias pattern that the module declares, such as pci:v00008086d*"),
    "modalias": ("MODALIAS", "that loads for this device, given as a bus reports it"),
    "exports": ("SYMBOL", "that offers this symbol"),
    "needs": ("SYMBOL", "that needs this symbol"),
    "parameter": ("NAME", "that has this parameter"),
    "firmware": ("TEXT", "that asks for this firmware file"),
    "path": ("TEXT", "in the file's path"),
    "signer": ("TEXT", "in the name of who signed it"),
}


PLAIN = Plain(
    word="pattern",
    options={**dict.fromkeys(_CRITERIA, ""), **which_kernel.PLAIN_OPTIONS},
    choices=which_kernel.PLAIN_CHOICES,
    flags=("json", "no_cache"),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "pattern", nargs="?", default="", help="module name (vfat) or file (vfat.ko)"
    )
    for name, (metavar, text) in _CRITERIA.items():
        parser.add_argument(f"--{name}", default="", metavar=metavar, help=text)
    which_kernel.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: Namespace, console: Console) -> int:
    """Print a line for each module found, built-in ones marked."""
    catalog = which_kernel.chosen(args, console).catalog(console)
    criteria = Criteria(pattern=args.pattern, **{name: getattr(args, name) for name in _CRITERIA})
    problems: list[LkmError] = []

    def on_problem(problem: LkmError) -> None:
        problems.append(problem)
        console.complain(problem, "WARNING")

    with Bar(console, "reading modules") as bar:
        hits = find(
            catalog, criteria, on_problem=on_problem, cache=default_cache(), on_progress=bar
        )
        if args.json:
            from lkm.report.documents.trees import find_document

            found = list(hits)
            console.document = find_document(catalog.release, found, problems)
            return 0 if found else 1
        return _print(hits, console)


def _print(hits: Iterable[Hit], console: Console) -> int:
    status = 1
    for hit in hits:
        status = 0
        place = "(builtin)" if hit.builtin else hit.file
        console.out.write(printable(f"{hit.name:<24} {place}") + "\n")
        for kind, text in hit.matches:
            console.out.write(printable(f"    {kind}: {text}") + "\n")
    return status
