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
from tests.outcomes.rehearsal import Rehearsal

# What the lab's guest has on its command line besides.
_COMMAND_LINE = "console=ttyS0 quiet panic=-1 rdinit=/init"


@dataclass(frozen=True, slots=True)
class Held:
    """What came of holding one case: how many *steps* were compared, and what *differs*."""

    case: Case
    steps: int
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
        compared = 0
        for step, theirs in zip(steps, real[case.id], strict=False):
            ours = rehearsal.rehearse(step)
            if ours is not None:
                compared += 1
                found += differences(ours, theirs)
        held.append(Held(case, compared, tuple(found)))
    return held
