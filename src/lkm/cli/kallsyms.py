"""Look into a kernel's symbol table, keep it, and compare it.

  lkm kallsyms [PATTERN]          symbols whose whole name matches PATTERN (*, ? and [...])
  lkm kallsyms --address A        the symbol that this address lies in
  lkm kallsyms save FILE          keep the table as it is now
  lkm kallsyms diff BEFORE [AFTER]  what came, went and moved between two snapshots, or until now

Without more it is the running kernel's /proc/kallsyms; --on sandbox the sandbox's; --kernel,
--release or --vmlinux that of a kernel image, without modules. A capital type letter is a global
symbol; in a module a plain export, while its GPL-only exports stay lower case. Where the kernel
hides addresses they are left out, and stderr says why.
Exit status: 0 found, or nothing differs; 1 nothing found, or something differs; 3 cannot be told.
"""

from __future__ import annotations

import argparse

from lkm._text import decode, printable, quoted
from lkm.cli import which_kernel
from lkm.cli.console import Console
from lkm.diagnose.symbols import (
    TableInUse,
    image_table,
    installed_table,
    live_table,
    sandbox_table,
)
from lkm.errors import LkmError, NoTreeError, UsageError
from lkm.kallsyms.diff import Diff, compare
from lkm.kallsyms.snapshot import read_snapshot, write_snapshot
from lkm.kallsyms.table import Symbol, SymbolTable

_HIDDEN = "?" * 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="as above")
    parser.add_argument("--module", metavar="LOADED", help="only symbols of this module")
    parser.add_argument("--address", metavar="A", help="the symbol at or before this address (hex)")
    parser.add_argument("--counts", action="store_true", help="with diff: numbers only")
    parser.add_argument(
        "--fold-llvm", action="store_true", help="with diff: pass over .llvm.NNN suffixes"
    )
    which_kernel.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Do what the words say."""
    action, words = args.words[:1], args.words[1:]
    _refuse_unused(args)
    if action == ["save"]:
        return _save(words, args, console)
    if action == ["diff"]:
        return _diff(words, args, console)
    if words:
        raise UsageError("one PATTERN, or save FILE, or diff BEFORE [AFTER]")
    return _look(args, console)


def _table(args: argparse.Namespace, console: Console) -> TableInUse:
    kernel = which_kernel.chosen(args, console)
    if kernel.image:
        return image_table(kernel.image)
    if kernel.named and not (kernel.on == "sandbox" and kernel.tree):
        return installed_table(kernel.root, kernel.release, _directory(kernel))
    return sandbox_table() if kernel.on == "sandbox" else live_table()


def _directory(kernel: which_kernel.Chosen) -> str:
    """Return the tree's directory, empty where there is none: an image can do without."""
    try:
        return kernel.directory
    except NoTreeError:
        return ""


def _refuse_unused(args: argparse.Namespace) -> None:
    """Raise ``UsageError`` for an option that would change nothing."""
    action = args.words[0] if args.words[:1] in (["save"], ["diff"]) else ""
    if action != "diff" and (args.counts or args.fold_llvm):
        raise UsageError("--counts and --fold-llvm belong to diff")
    if action and (args.module is not None or args.address is not None):
        raise UsageError(f"--module and --address do not go with {action}")
    if args.address is not None and (args.module is not None or args.words):
        raise UsageError("--address finds one symbol; neither PATTERN nor --module goes with it")
    names_kernel = args.root or args.release or args.vmlinux or args.kernel
    if action == "diff" and len(args.words) > 2 and names_kernel:
        raise UsageError("two snapshots are compared without any kernel; name none")


def _look(args: argparse.Namespace, console: Console) -> int:
    used = _table(args, console)
    table = used.table
    if args.address is not None:
        return _at_address(used, args, console)
    if args.module is not None:
        table = table.of_module(args.module.replace("-", "_"))
    if args.words:
        table = table.find(args.words[0])
    if console.json:
        from lkm.report.documents.kallsyms import symbols_document

        console.document = symbols_document(used, table)
    else:
        console.out.write(printable_lines(table))
    if not len(table):
        console.say("NOTICE", "no symbol matches")
    elif used.why_hidden:
        console.say("NOTICE", used.why_hidden)
    return 0 if len(table) else 1


def _at_address(used: TableInUse, args: argparse.Namespace, console: Console) -> int:
    try:
        address = int(args.address, 16)
    except ValueError:
        wrong = quoted(args.address)
        raise UsageError(f"--address takes a hexadecimal number, not {wrong}") from None
    if used.table.hidden:
        text = f"no address can be looked up: {used.why_hidden}"
        console.error(text, LkmError(text))
        return 3
    found = used.table.at_address(address)
    if console.json:
        from lkm.report.documents.kallsyms import address_document

        console.document = address_document(used, address, found)
        return 0 if found else 1
    if found is None:
        console.error(f"no symbol is near {address:#x}")
        return 1
    symbol, offset = found
    module = f" [{symbol.module}]" if symbol.module else ""
    console.out.write(printable(f"{symbol.name}+{offset:#x}{module}") + "\n")
    return 0


def _save(words: list[str], args: argparse.Namespace, console: Console) -> int:
    if len(words) != 1:
        raise UsageError("save takes one FILE")
    if words == ["-"]:
        raise UsageError("save writes a file, not stdout: name one (./- if that is its name)")
    used = _table(args, console)
    write_snapshot(used.table, words[0])
    if used.table.hidden:
        console.warning(f"the snapshot has no addresses: {used.why_hidden}")
    if console.json:
        from lkm.report.documents.kallsyms import saved_document

        console.document = saved_document(used, words[0])
    return 0


def _diff(words: list[str], args: argparse.Namespace, console: Console) -> int:
    if len(words) not in (1, 2):
        raise UsageError("diff takes BEFORE and, if it is not the kernel of now, AFTER")
    before = read_snapshot(words[0])
    after = read_snapshot(words[1]) if len(words) > 1 else _table(args, console).table
    diff = compare(before, after, fold_llvm=args.fold_llvm)
    if console.json:
        from lkm.report.documents.kallsyms import diff_document

        console.document = diff_document(diff, lists=not args.counts)
        return 1 if diff.modules else 0
    console.out.write(printable_diff(diff, lists=not args.counts))
    if diff.hidden:
        console.say("NOTICE", "a side has no addresses, so it cannot be told what moved")
    return 1 if diff.modules else 0


def printable_lines(table: SymbolTable) -> str:
    """Return the lines of ``/proc/kallsyms``, addresses that are hidden left out."""
    if not table.hidden:
        text = decode(table.as_text())
        return (
            text
            if text.isascii()
            else "".join(
                printable(line).replace("\\x09", "\t") + "\n" for line in text.splitlines()
            )
        )
    return "".join([_line(symbol, hidden=True) + "\n" for symbol in table])


def printable_diff(diff: Diff, *, lists: bool) -> str:
    """Return what differs: a line for each module, then, with *lists*, every symbol."""
    lines = [
        f"before: {diff.before_release or 'unknown release'}, {diff.before_count:,} symbols",
        f"after:  {diff.after_release or 'unknown release'}, {diff.after_count:,} symbols",
    ]
    if not diff.modules:
        lines.append("nothing differs")
    for changes in diff.modules:
        name = f"[{changes.module}]" if changes.module else "the kernel itself"
        whole = " (came)" if changes.module_came else " (went)" if changes.module_went else ""
        counts = (
            (len(changes.added), "added"),
            (len(changes.removed), "removed"),
            (changes.moved_count, "moved"),
            (len(changes.retyped), "of another type"),
        )
        told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        shift = f", by {changes.shift:+#x}" if changes.shift else ""
        lines.append(f"{name}{whole}: {told}{shift}")
    for changes in diff.modules if lists else ():
        lines += [f"+ {_line(symbol, hidden=diff.after_hidden)}" for symbol in changes.added]
        lines += [f"- {_line(symbol, hidden=diff.before_hidden)}" for symbol in changes.removed]
        lines += [
            f"> {one.before:016x} -> {one.after:016x} {one.type} {printable(one.name)}"
            for one in changes.moved
        ]
        lines += [
            f"~ {_shown(one.address, hidden=diff.after_hidden)} {one.before} -> {one.after} "
            f"{printable(one.name)}"
            for one in changes.retyped
        ]
    return "\n".join(lines) + "\n"


def _shown(address: int, *, hidden: bool) -> str:
    return _HIDDEN if hidden else f"{address:016x}"


def _line(symbol: Symbol, *, hidden: bool) -> str:
    address = _shown(symbol.address, hidden=hidden)
    module = f"\t[{symbol.module}]" if symbol.module else ""
    return f"{address} {symbol.type} {printable(symbol.name)}{module}"
