"""Plans, what carrying them out came to, and the configuration behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.config.cmdline import SOURCE as KERNEL_COMMAND_LINE
from lkm.report.documents.lookups import source_facts
from lkm.report.documents.writing import error_facts
from lkm.resolve.plan import Insert, Missing, Refuse, RunInstall, RunRemove

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lkm.config.directives import Directive
    from lkm.config.settings import Settings
    from lkm.errors import LkmError
    from lkm.kernel.apply import Outcome
    from lkm.kernel.taking_back import TakenBack
    from lkm.report.documents.writing import Document
    from lkm.resolve.plan import Objection, Plan, Step
    from lkm.resolve.reasons import Origin, Reason

    Attempt = tuple[Plan, Objection | None, Outcome | None]
    Rows = Iterable[tuple[str, str, int]]


def plans_document(
    kernel: str,
    operation: str,
    attempts: Sequence[Attempt | tuple[str, LkmError]],
    *,
    interrupted: str = "",
    taken_back: TakenBack | None = None,
) -> Document:
    """Return modprobe's plans, one a module that a word stands for.

    Each with what keeps it from being carried out (``objection``), and what carrying it out came
    to (``outcome``, null where it was only to be shown). A word that there is no plan for has the
    ``error`` instead, and *operation*, which was to be done. *interrupted* names the signal that
    ended it all, empty for none; *taken_back* is what --atomic came to, None where it had nothing
    to do.
    """
    return {
        "schema": "lkm.plan/1",
        "kernel": kernel,
        "plans": [
            _planned(*attempt) if len(attempt) == 3 else _unplanned(operation, *attempt)
            for attempt in attempts
        ],
        "interrupted": interrupted or None,
        "taken_back": None if taken_back is None else _taken_back(taken_back),
    }


def _taken_back(taken: TakenBack) -> dict[str, object]:
    return {
        "removed": list(taken.removed),
        "left": [{"module": module, "error": error_facts(error)} for module, error in taken.left],
        "commands": list(taken.commands),
    }


def _planned(plan: Plan, objection: Objection | None, outcome: Outcome | None) -> dict[str, object]:
    return {
        "target": plan.target,
        "operation": plan.operation,
        "steps": [
            {**step_facts(step), "why": _why(reason)}
            for step, reason in zip(plan.steps, plan.reasons, strict=True)
        ],
        "objection": None
        if objection is None
        else {"module": objection.module, "reason": objection.reason},
        "outcome": None if outcome is None else _outcome(outcome),
        "error": None,
    }


def _unplanned(operation: str, word: str, error: LkmError) -> dict[str, object]:
    return {
        "target": word,
        "operation": operation,
        "steps": [],
        "objection": None,
        "outcome": None,
        "error": error_facts(error),
    }


def step_facts(step: Step) -> dict[str, object]:
    """Return one step of a plan; ``because`` is the module that asks for it, null for the user."""
    action, *fields = _STEPS[type(step).__name__]
    facts: dict[str, object] = {
        "action": action,
        "module": step.module,
        "because": step.because or None,
    }
    for field in fields:
        value = getattr(step, field)
        facts[field] = list(value) if isinstance(value, tuple) else value
    if isinstance(step, Insert | RunInstall):
        facts["params_from"] = [_origin(origin) for origin in step.origins]
    if isinstance(step, Insert | Missing):
        facts["sources"] = [source_facts(source) for source in step.sources]
    elif isinstance(step, RunInstall | RunRemove | Refuse):
        facts["sources"] = [source_facts(step.source)]
    return facts


def _why(reason: Reason) -> dict[str, object]:
    """Return why a step is there, and how its word led to its module."""
    found = reason.found
    return {
        "kind": reason.kind,
        "module": reason.module or None,
        "word": reason.word or None,
        "found_by": None if found is None else found.via,
        "alias": None if found is None else found.alias or None,
        "source": None if found is None else source_facts(found.source),
        "softdep": source_facts(reason.softdep),
    }


def _origin(origin: Origin) -> dict[str, object]:
    if origin.source is None:
        place = "arguments"
    else:
        at_boot = origin.source == KERNEL_COMMAND_LINE
        place = "kernel command line" if at_boot else "configuration"
    return {"text": origin.text, "from": place, "source": source_facts(origin.source)}


# For each kind of step the word that the document has for it, and the fields that it shows.
_STEPS = {
    "Insert": ("insert", "path", "params", "required", "repeated"),
    "RunInstall": ("run-install", "command", "params", "required", "repeated"),
    "Builtin": ("builtin",),
    "Missing": ("missing", "required"),
    "Skip": ("skip", "reason"),
    "Refuse": ("refuse",),
    "Remove": ("remove", "if_unused", "refcnt"),
    "RunRemove": ("run-remove", "command", "if_unused"),
    "InUse": ("in-use", "refcnt", "holders", "required"),
}


def _outcome(outcome: Outcome) -> dict[str, object]:
    return {
        "done": [step.module for step in outcome.done],
        "passed_over": [
            {"module": step.module, "error": error_facts(error)}
            for step, error in outcome.passed_over
        ],
        "not_run": [step.module for step in outcome.not_run],
        "failed": None if outcome.failed is None else outcome.failed.module,
        "error": None if outcome.error is None else error_facts(outcome.error),
        "interrupted": outcome.interrupted,
    }


def config_document(settings: Settings, aliases: Rows, symbols: Rows) -> Document:
    """Return ``modprobe -c``: each directive with file and line, then the two indexes."""
    return {
        "schema": "lkm.config/1",
        "directives": [directive_facts(directive) for directive in settings.directives],
        "complaints": [
            {
                "source": source_facts(complaint.source),
                "text": complaint.text,
                "problem": complaint.problem,
            }
            for complaint in settings.complaints
        ],
        "aliases": [{"alias": key, "module": value} for key, value, _ in aliases],
        "symbols": [{"alias": key, "module": value} for key, value, _ in symbols],
    }


def directive_facts(directive: Directive) -> dict[str, object]:
    """Return one line of modprobe.d: ``kind`` is its first word."""
    facts: dict[str, object] = {"kind": type(directive).__name__.lower()}
    for field in directive.__slots__:
        value = getattr(directive, field)
        if field == "source":
            facts[field] = source_facts(value)
        else:
            facts[field] = list(value) if isinstance(value, tuple) else value
    return facts
