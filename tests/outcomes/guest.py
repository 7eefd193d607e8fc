"""Run a list of operations in a guest, and give back what the kernel made of each.

The guest's init is the agent; ``README.md`` tells of the operations and of what is seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from lkm import cpio
from lkm.errors import GuestFailedError, GuestTimedOutError
from lkm.lab import batch
from lkm.lab.initramfs import files_in, program_initramfs
from tests.outcomes.build import agent

# What a kernel says when it pleases, whatever is done meanwhile: clocks found and randomness come.
_CHATTER = re.compile(r"\d (tsc|clocksource|random|sched_clock): ")

Result = str | int
Json = str | int | list[str] | list[Result]


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """A guest to start: its files lie in ``/ko``, by name; *command_line* follows the lab's own."""

    command_line: str = ""
    files: Mapping[str, bytes]
    operations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one operation came to.

    *returned* holds numbers and names of errnos, "KILLED" for a call that an oops or ``killbg``
    ended; each line of the *log* begins with its level, and lines that no operation causes are left
    out; *kallsyms* lines have no module; *died* is what the console said last where the guest ended
    in this operation, and everything else of it may be lost.
    """

    op: str
    returned: tuple[Result, ...] = ()
    log: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    kallsyms: tuple[str, ...] = ()
    tainted: int | None = None
    died: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Return it as a table of what there is, in the order of the fields."""
        table: dict[str, Json] = {"op": self.op}
        if self.returned:
            table["ret"] = list(self.returned)
        for name in ("log", "modules", "out", "kallsyms", "died"):
            lines: tuple[str, ...] = getattr(self, name)
            if lines:
                table[name] = list(lines)
        if self.tainted is not None:
            table["tainted"] = self.tainted
        return table

    @classmethod
    def from_json(cls, table: object) -> Seen:
        """Return what ``to_json`` made *table* from; raises ``ValueError`` for anything else."""
        if not isinstance(table, dict) or not isinstance(table.get("op"), str):
            raise ValueError(f"no operation: {table!r}")
        unknown = set(table) - {field.name for field in fields(cls)} - {"ret"}
        if unknown:
            raise ValueError(f"{table['op']}: unknown keys {sorted(map(str, unknown))}")
        tainted = table.get("tainted")
        if not (tainted is None or isinstance(tainted, int)):
            raise ValueError(f"{table['op']}: tainted is {tainted!r}")
        return cls(
            op=table["op"],
            returned=_results(table.get("ret", [])),
            log=_lines(table.get("log", [])),
            modules=_lines(table.get("modules", [])),
            out=_lines(table.get("out", [])),
            kallsyms=_lines(table.get("kallsyms", [])),
            tainted=tainted,
            died=_lines(table.get("died", [])),
        )


def run(
    kernel: bytes, boot: Boot, *, timeout_s: float = 120, memory_mb: int = 512
) -> tuple[Seen, ...]:
    """Return what came of each operation of *boot* on the unpacked ELF *kernel*, in their order.

    A guest that dies, or still runs when its time is over, is no error: the last one then has
    ``died``. Raises ``NotHere`` without a compiler, ``NoLabProgramError`` without QEMU.
    """
    initramfs = initramfs_of(boot)
    died: tuple[str, ...] = ()
    try:
        output = batch.run(
            kernel,
            initramfs,
            append=boot.command_line,
            memory_mb=memory_mb,
            timeout_s=timeout_s,
        ).output
    except GuestTimedOutError as error:
        output, died = error.output, (str(error), *error.last)
    except GuestFailedError as error:
        output, died = error.output, error.last
    return answers(boot, output, died)


def initramfs_of(boot: Boot) -> bytes:
    """Return the archive with the agent, the files and the operations of *boot*."""
    operations = "".join(f"{operation}\n" for operation in boot.operations)
    extra = (cpio.file("ops", operations.encode()), *files_in("ko", boot.files))
    return program_initramfs(agent(), extra)


def answers(boot: Boot, output: str, died: tuple[str, ...]) -> tuple[Seen, ...]:
    """Return what the agent's *output* says of each operation of *boot*, up to the last done."""
    seen = parse(output, died)
    if not died and len(seen) != len(boot.operations):
        raise ValueError(f"{len(boot.operations)} operations came to {len(seen)} answers")
    # The agent escapes what it repeats.
    return tuple(replace(one, op=op) for one, op in zip(seen, boot.operations, strict=False))


def parse(output: str, died: tuple[str, ...] = ()) -> tuple[Seen, ...]:
    """Return what the agent's *output* tells; the last operation gets *died*.

    Raises ``ValueError`` for output that is not an agent's, and for an operation that the agent
    could not do.
    """
    blocks: list[tuple[str, list[tuple[str, str]]]] = []
    for line in output.splitlines():
        kind, _blank, text = line.partition(" ")
        if kind == "@op":
            blocks.append((text, []))
        elif kind in _KINDS and blocks:
            blocks[-1][1].append((kind, text))
        elif not died:
            raise ValueError(f"the agent said {line!r}")
    if died and not blocks:
        blocks.append(("", []))
    return tuple(
        _seen(op, facts, died if number == len(blocks) else ())
        for number, (op, facts) in enumerate(blocks, 1)
    )


_KINDS = ("@ret", "@log", "@mod", "@out", "@sym", "@taint", "@bad")


def _seen(op: str, facts: list[tuple[str, str]], died: tuple[str, ...]) -> Seen:
    texts = {kind: tuple(text for one, text in facts if one == kind) for kind in _KINDS}
    if texts["@bad"]:
        raise ValueError(f"{op!r}: {texts['@bad'][0]}")
    numbers = [int(text) for text in texts["@taint"]]
    return Seen(
        op=op,
        returned=tuple(_result(text) for text in texts["@ret"]),
        log=tuple(line for line in texts["@log"] if not _CHATTER.match(line)),
        modules=texts["@mod"],
        out=texts["@out"],
        kallsyms=texts["@sym"],
        tainted=numbers[0] if numbers else None,
        died=died,
    )


def _result(text: str) -> Result:
    return int(text) if text.lstrip("-").isdigit() else text


def _lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"no list of lines: {value!r}")
    return tuple(str(line) for line in value)


def _results(value: object) -> tuple[Result, ...]:
    if not isinstance(value, list):
        raise ValueError(f"no list of results: {value!r}")
    return tuple(one if isinstance(one, int) else str(one) for one in value)
