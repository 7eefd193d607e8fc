"""The tables that are printed: Markdown, padded so that it reads well as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.cases import MOST_MEMORY, Case
from bench.timing import Compared


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one case: *floor* in seconds, *peaks* in bytes, ours first."""

    case: Case
    compared: Compared
    floor: float | None = None
    peaks: tuple[int, int] | None = None


def times(outcomes: Sequence[Outcome]) -> str:
    """Return the table of times: medians, and the median, lowest and highest ratio of the pairs."""
    head = ("work", "lkm", "other", "ratio", "spread", "at most", "aim", "met", "floor")
    return table([head, *map(_row, outcomes)])


def memory(outcomes: Sequence[Outcome]) -> str:
    """Return the table of peak memory, of the cases that measure it."""
    rows = [("peak memory", "lkm", "other", "ratio", "at most", "met")]
    for outcome in outcomes:
        if outcome.peaks is not None:
            ours, theirs = outcome.peaks
            ratio = ours / theirs
            name, verdict = outcome.case.name, met(ratio, MOST_MEMORY, None)
            sizes = _size(ours), _size(theirs)
            rows.append((name, *sizes, number(ratio), _asked(MOST_MEMORY), verdict))
    return table(rows) if len(rows) > 1 else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return *rows*, the first of which is the head, as a table: texts left, numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "".join(
        f"| {first:<{widths[0]}} | "
        + " | ".join(text.rjust(width) for text, width in zip(rest, widths[1:], strict=True))
        + " |\n"
        for first, *rest in [rows[0], rule, *rows[1:]]
    )


def met(ratio: float, most: float | None, aim: float | None) -> str:
    """Return what *ratio* meets: the aim, what is asked at least, or neither."""
    if most is None:
        return ""
    if ratio > most:
        return "no"
    return "aim" if aim is not None and ratio <= aim else "yes"


def number(value: float) -> str:
    """Return a ratio with two digits after the point, or three where it is small."""
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _asked(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:g}"


def _row(outcome: Outcome) -> tuple[str, ...]:
    case, compared = outcome.case, outcome.compared
    low, high = compared.spread
    return (
        case.name,
        _time(compared.ours),
        _time(compared.theirs),
        number(compared.ratio),
        f"{number(low)}-{number(high)}",
        _asked(case.most),
        _asked(case.aim),
        met(compared.ratio, case.most, case.aim),
        "" if outcome.floor is None else _time(outcome.floor),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _size(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
