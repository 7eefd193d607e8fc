"""Plans, what carrying them out came to, and the configuration behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.report.documents.writing import error_facts
from lkm.resolve.plan import Insert, Missing, Refuse, RunInstall, RunRemove

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lkm.config.directives import Directive, Source
    from lkm.config.settings import Settings
    from lkm.kernel.apply import Outcome
    from lkm.report.documents.writing import Document
    from lkm.resolve.plan import Objection, Plan, Step

    Rows = Iterable[tuple[str, str, int]]


def plans_document(
    kernel: str, attempts: Sequence[tuple[Plan, Objection | None, Outcome | None]]
) -> Document:
    """Return modprobe's plans, one a word that stands for something.

    Each with what keeps it from being carried out (``objection``), and what carrying it out came
    to (``outcome``, null where it was only to be shown).
    """
    return {
        "schema": "lkm.plan/1",
        "kernel": kernel,
        "plans": [
            {
                "target": plan.target,
                "operation": plan.operation,
                "steps": [step_facts(step) for step in plan.steps],
                "objection": None
                if objection is None
                else {"module": objection.module, "reason": objection.reason},
                "outcome": None if outcome is None else _outcome(outcome),
            }
            for plan, objection, outcome in attempts
        ],
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
    if isinstance(step, Insert | Missing):
        facts["sources"] = [source_facts(source) for source in step.sources]
    elif isinstance(step, RunInstall | RunRemove | Refuse):
        facts["sources"] = [source_facts(step.source)]
    return facts


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
    }


def source_facts(source: Source | None) -> dict[str, object] | None:
    """Return the place in the configuration that something was read at."""
    return None if source is None else {"path": source.path, "line": source.line}


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


def names_document(found: Mapping[str, Sequence[str]]) -> Document:
    """Return ``modprobe -R``: for each word the modules that it stands for, in look-up order."""
    return {
        "schema": "lkm.lookup/1",
        "words": [{"word": word, "modules": list(names)} for word, names in found.items()],
    }
