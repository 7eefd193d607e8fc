"""What in the configuration has no effect on a plan, though whoever wrote it hopes that it has.

lkm keeps kmod's result: of several softdep, weakdep, install or remove lines for one module the
first one counts; a softdep without ``pre:`` and ``post:`` says nothing; ``modprobe.blacklist=``
takes names as they are spelled, dashes and all.
"""

from __future__ import annotations

from lkm.config.cmdline import SOURCE as COMMAND_LINE
from lkm.config.directives import Blacklist, Install, Remove, Softdep, Weakdep
from lkm.tree.trie.fnmatch import fnmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lkm.config.settings import Settings
    from lkm.resolve.plan import Plan

    FirstCounts = Install | Remove | Softdep | Weakdep


def surprises(plan: Plan, settings: Settings) -> tuple[str, ...]:
    """Return one line for each directive about a module of *plan* that came to nothing.

    Lines that say the same as the one that counts are no surprise.
    """
    found: list[str] = []
    for name in dict.fromkeys([step.module for step in plan.steps]):
        if plan.operation == "load":
            found += _blacklisted_with_dashes(name, settings)
            kinds: tuple[type[FirstCounts], ...] = (Softdep, Weakdep, Install)
        else:
            kinds = (Softdep, Remove)
        for kind in kinds:
            lines = [
                line
                for line in settings.directives
                if isinstance(line, kind) and _matches(name, line.pattern)
            ]
            found += _not_the_first(name, lines)
            if lines and isinstance(lines[0], Softdep):
                found += _says_nothing(name, lines[0])
    return tuple(found)


def _matches(name: str, pattern: str) -> bool:
    # Nearly all patterns are plain names.
    return pattern == name or (not pattern.isidentifier() and fnmatch(name, pattern))


def _not_the_first(name: str, lines: list[FirstCounts]) -> Iterator[str]:
    if not lines:
        return
    first, *others = lines
    lost = [str(line.source) for line in others if _meaning(line) != _meaning(first)]
    if lost:
        verb = "has" if len(lost) == 1 else "have"
        word = type(first).__name__.lower()
        yield (
            f"of the {word} lines for {name} the first one counts, {first.source}: "
            f"{', '.join(lost)} {verb} no effect"
        )


def _meaning(line: FirstCounts) -> tuple[object, ...]:
    if isinstance(line, Softdep):
        return (line.pre, line.post)
    if isinstance(line, Weakdep):
        return line.modules
    return (line.command,)


def _says_nothing(name: str, line: Softdep) -> Iterator[str]:
    if not line.pre and not line.post:
        yield (
            f"the softdep line for {name}, {line.source}, has no effect: "
            "no module stands behind pre: or post:"
        )


def _blacklisted_with_dashes(name: str, settings: Settings) -> Iterator[str]:
    if settings.blacklisted(name) is not None:
        return
    for line in settings.directives:
        if not isinstance(line, Blacklist) or line.source != COMMAND_LINE:
            continue
        if line.module.replace("-", "_") == name:
            yield (
                f"modprobe.blacklist={line.module} on the kernel's command line has no effect: "
                f"the module's name is {name}"
            )
