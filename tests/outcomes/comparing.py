"""Hold what the sandbox said against what a real kernel said, leaving out what may differ.

Left out: what of a message comes after 980 characters (from there on kernels cut it off, and may
show it only together with the next), lines of a module's own code and of the stack trace behind a
warning (their levels and texts tell), pointers that are printed as hashes, and the name of the
asking process. Of an address only its place in its page is compared here; whole addresses are held
against real modules by ``tests.loader.recording``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tests.outcomes.guest import Seen

_ADDRESS = re.compile(r"\b(0x)?[0-9a-f]{13}([0-9a-f]{3})\b")
_ZEROS = re.compile(r"^0*$")
_HASHED = re.compile(r"\bloc (0x[0-9a-f]+|[0-9a-f]{16}|\(____ptrval____\))|\(____ptrval____\)")
_COMMAND = re.compile(r"Lockdown: \S+:")
_PLACELESS = re.compile(r"^[0-9a-f]{16} \? ")  # not in the module's memory
_COMPARED = 980  # characters of one message
_MODE = re.compile(r"^[0-7]{3} ")
_LOADER = re.compile(r"^[0-5] ")
_TRACE = re.compile(
    r"^4 (CPU:|Tainted: |Hardware name:|Call Trace:|RIP:|Code:|RSP:|R[A-Z0-9]{2}:|ORIG_RAX|"
    r"WARNING: |Modules linked in:|FS: |CS: |CR2: |---\[ end trace|"
    r" |RAX|RBP|R10|R13|</?TASK>)"
)


def differences(ours: Seen, theirs: Seen) -> list[str]:
    """Return what differs, a line for each; *theirs* is the real kernel's."""
    found: list[str] = []
    pairs = (
        ("returned", ours.returned, theirs.returned),
        ("tainted", ours.tainted, theirs.tainted),
        ("modules", _pages(ours.modules), _pages(theirs.modules)),
        ("out", *_outs(ours, theirs)),
        ("kallsyms", _pages(ours.kallsyms), _pages(theirs.kallsyms)),
        ("log", log_lines(_told(ours.log, theirs.log)), log_lines(_told(theirs.log, ours.log))),
    )
    for what, mine, real in pairs:
        if mine != real:
            found.append(f"{ours.op}: {what}: {_apart(mine, real)}")
    return found


def _told(one: Sequence[str], other: Sequence[str]) -> Sequence[str]:
    """Return the log of *one* side, without messages that are cut off if the *other* has none.

    A kernel holds one back that has no newline any more: it comes with what is logged next.
    """
    if any(len(record) > _COMPARED for record in other):
        return one
    return [record for record in one if len(record) <= _COMPARED]


def log_lines(log: Iterable[str]) -> list[str]:
    """Return the loader's own lines of *log*, as far as they are the same each time."""
    lines = [line for record in log for line in _lines(record)]
    kept = [line for line in lines if _LOADER.match(line) and not _TRACE.match(line)]
    kept = [_HASHED.sub("(pointer)", line) for line in kept]
    return [_COMMAND.sub("Lockdown: COMM:", line) for line in kept]


def _lines(record: str) -> list[str]:
    """Return the lines of one message, as far as every release has room for them."""
    level, _blank, text = record[:_COMPARED].partition(" ")
    return [f"{level} {line}" for line in text.replace("\\x0a", "\n").split("\n")]


def _pages(lines: Iterable[str]) -> list[str]:
    return [_ADDRESS.sub(_page, _PLACELESS.sub("? ", line)) for line in lines]


def _page(found: re.Match[str]) -> str:
    text = found[0].removeprefix("0x")
    return found[0] if _ZEROS.match(text) else f"(page) {found[2]}"


def _outs(ours: Seen, theirs: Seen) -> tuple[list[str], list[str]]:
    """Return both sides' lines; a file's mode is compared where the sandbox knows it."""
    mine, real = list(ours.out), list(theirs.out)
    if ours.op.startswith("sys "):
        known = {_path(line) for line in mine if _MODE.match(line)}
        real = [line if _path(line) in known else _MODE.sub("", line) for line in real]
        mine, real = sorted(mine), sorted(real)
    return _pages(mine), _pages(real)


def _apart(mine: object, real: object) -> str:
    if not isinstance(mine, list) or not isinstance(real, list):
        return f"lkm {mine!r}, kernel {real!r}"
    only = [f"lkm only: {line}" for line in mine if line not in real][:4]
    only += [f"kernel only: {line}" for line in real if line not in mine][:4]
    return "; ".join(only) or f"another order: lkm {mine[:6]}, kernel {real[:6]}"


def _path(line: str) -> str:
    return _MODE.sub("", line).partition(" ")[0]
