"""Go through cases in the sandbox, and hold each step against what a real kernel answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lkm.kernel.sandbox import Sandbox
from tests.outcomes.case import Case, Modules
from tests.outcomes.comparing import differences
from tests.outcomes.guest import Seen
from tests.outcomes.kernels import all_steps, files_of
from tests.outcomes.rehearsal import Insert, Rehearsal, look_at

# What the lab's guest has on its command line besides.
_COMMAND_LINE = "console=ttyS0 quiet panic=-1 rdinit=/init"
# Cases whose answers are recorded and not compared, and why.
UNANSWERED: Mapping[str, str] = {
    "raw-calls": "bad descriptors and pointers end in front of the loader, which lkm stands for",
}


@dataclass(frozen=True, slots=True)
class Held:
    """What came of holding one case: how many *steps* were compared, and what *differs*.

    *answers* counts the calls among them whose answer was; that of clearing up is none.
    """

    case: Case
    steps: int
    answers: int
    differs: tuple[str, ...]


def boot(state: Path, root: Path, release: str, command_line: str) -> Sandbox:
    """Return the sandbox at *state* with the kernel *release* of *root*, freshly booted."""
    sandbox = Sandbox(str(state))
    sandbox.boot(release, str(root), command_line=f"{_COMMAND_LINE} {command_line}".rstrip())
    return sandbox


def hold(
    sandbox: Sandbox, cases: Sequence[Case], modules: Modules, real: Mapping[str, Sequence[Seen]]
) -> list[Held]:
    """Go through *cases* in a row; *real* has what the kernel answered, by case, in that row."""
    files: dict[str, bytes] = {}
    for case in cases:
        files |= files_of(case, modules)
    rehearsal = Rehearsal(sandbox, files)
    held: list[Held] = []
    for case in cases:
        found: list[str] = []
        steps = [step for _case, step in all_steps([case])]
        if len(steps) != len(real[case.id]):
            found.append(f"{len(steps)} steps, but {len(real[case.id])} were recorded")
        compared = answers = 0
        for step, theirs in zip(steps, real[case.id], strict=False):
            ours = rehearsal.rehearse(step)
            if ours is not None:
                compared += 1
                answers += bool(theirs.returned) and step.op != "clear"
                found += differences(ours, theirs)
        held.append(Held(case, compared, answers, tuple(found)))
    return held


def checks_met(sandbox: Sandbox, case: Case, modules: Modules) -> set[str]:
    """Go through *case*, and return the ids of the checks that found something in it."""
    met: set[str] = set()

    def look(insert: Insert) -> None:
        met.update([finding.check for finding in look_at(sandbox, insert).findings])

    rehearsal = Rehearsal(sandbox, files_of(case, modules), look)
    for _case, step in all_steps([case]):
        rehearsal.rehearse(step)
    return met
