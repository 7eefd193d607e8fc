"""The arguments of lkm's own verbs, read by argparse, save those that are plain."""

from __future__ import annotations

from lkm.cache import switch_off
from lkm.cli.plain import read_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from types import ModuleType, SimpleNamespace

    from lkm.cli.console import Console


def parse_arguments(
    name: str, command: ModuleType, words: list[str], console: Console
) -> Namespace | SimpleNamespace | None:
    """Read the command line of the verb *name*; None where --help has been all there was to do.

    Raises ``UsageError``.
    """
    args: Namespace | SimpleNamespace | None = None
    if hasattr(command, "PLAIN"):
        args = read_plain(command.PLAIN, words)
    if args is None:
        from lkm.cli.verb_parser import parse  # it takes longer than some commands do

        args = parse(name, command, words, console)
    if args is None:
        return None
    console.json = args.json
    if getattr(args, "on", "") == "lab":
        from lkm.cli.on_lab import settled  # few commands are for it

        settled(args)
    if getattr(args, "no_cache", False):
        switch_off()
    return args
