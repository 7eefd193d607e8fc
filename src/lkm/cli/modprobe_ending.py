"""What modprobe says of a run that was cut short, or taken back."""

from __future__ import annotations

from lkm.resolve.plan import Insert, Remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.cli.console import Console
    from lkm.kernel.taking_back import TakenBack
    from lkm.resolve.plan import Step


def say_interrupted(
    signal: str, done: Sequence[Step], failed_commands: Sequence[str], console: Console
) -> None:
    """Say by which *signal* it was ended, and what was *done* until then.

    *failed_commands* are the modules whose commands were begun and failed, or were cut short.
    """
    told = {
        "loaded": [step.module for step in done if isinstance(step, Insert)],
        "removed": [step.module for step in done if isinstance(step, Remove)],
        "commands run": [step.module for step in done if not isinstance(step, Insert | Remove)],
    }
    parts = [f"{what} until then: {' '.join(names)}" for what, names in told.items() if names]
    if failed_commands:
        parts.append(f"what the failed command of {' '.join(failed_commands)} did is not known")
    console.error(f"interrupted by {signal}; {'; '.join(parts) or 'nothing was changed'}")


def say_taken_back(taken: TakenBack, failed_commands: Sequence[str], console: Console) -> None:
    """Say what --atomic has removed again, and what it could not; the rest as above."""
    if taken.removed:
        console.hint(f"--atomic: removed again: {' '.join(taken.removed)}", needed=True)
    for module, error in taken.left:
        console.warning(f"--atomic: {module} stays loaded: {error}")
    ran = taken.commands[: len(taken.commands) - len(failed_commands)]
    if ran:
        text = f"that of {' '.join(ran)} was run"
        console.warning(f"--atomic: install commands are not taken back: {text}")
    if failed_commands:
        text = f"what that of {' '.join(failed_commands)}, which failed, did is not known"
        console.warning(f"--atomic: install commands are not taken back: {text}")
