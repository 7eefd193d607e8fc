"""Print what makes a shell complete lkm's commands, and kmod's tools where they are lkm.

  eval "$(lkm completion bash)"       in ~/.bashrc
  source <(lkm completion zsh)        in ~/.zshrc, behind compinit
  lkm completion fish | source        in ~/.config/fish/config.fish

TAB then offers commands, options, module names, files, the parameters of the module at hand,
loaded modules, releases and fields. Dashes and underscores of module names are equal: what was
typed stays as it is. Names called by kmod's own tools get no options that only lkm has.
Exit status: 0, or 2 for any other word.
"""

from __future__ import annotations

import argparse
import os

from lkm.cli.console import Console

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print the shell's script."""
    text = script(args.shell)
    if args.json:
        from lkm.report.documents.installing import completion_document

        console.document = completion_document(args.shell, text)
    else:
        console.out.write(text)
    return 0


def script(shell: str) -> str:
    """Return the completion script for *shell*, one of ``SHELLS``."""
    path = f"{os.path.dirname(__file__)}/shell/lkm.{shell}"
    with open(path, encoding="utf-8") as file:
        return file.read()
