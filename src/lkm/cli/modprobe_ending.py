"""What modprobe says of a run that was cut short, or taken back."""

from __future__ import annotations

from lkm.resolve.plan import Insert, Remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.cli.console import Console
    from lkm.kernel.taking_back import TakenBack
    from lkm.resolve.plan import Step


def say_interrupted(signal: str, done: Sequence[Step], console: Console) -> None:
    """Say by which *signal* it was ended, and what was *done* until then."""
    told = {
        "loaded": [step.module for step in done if isinstance(step, Insert)],
        "removed": [step.module for step in done if isinstance(step, Remove)],
        "commands run": [step.module for step in done if not isinstance(step, Insert | Remove)],
    }
    parts = [f"{what} until then: {' '.join(names)}" for what, names in told.items() if names]
    console.error(f"interrupted by {signal}; {'; '.join(parts) or 'nothing was changed'}")


def say_taken_back(taken: TakenBack, console: Console) -> None:
    """Say what --atomic has removed again, and what it could not."""
    if taken.removed:
        console.hint(f"--atomic: removed again: {' '.join(taken.removed)}", needed=True)
    for module, error in taken.left:
        console.warning(f"--atomic: {module} stays loaded: {error}")
    if taken.commands:
        names = " ".join(taken.commands)
        console.warning(f"--atomic: install commands are not taken back: that of {names} was run")
