"""The lab: what a command came to in a guest, of one kernel or of several."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from lkm.report.documents.writing import error_facts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.lab.faults import Fault
    from lkm.lab.runs import Run
    from lkm.report.documents.writing import Document


def lab_document(run: Run) -> Document:
    """Return what ``lkm lab -- COMMAND`` came to."""
    return {"schema": "lkm.lab/1", **_facts(run)}


def lab_matrix_document(runs: Sequence[Run]) -> Document:
    """Return what the same command came to on several kernels, in the order asked for."""
    return {"schema": "lkm.lab-matrix/1", "runs": [_facts(run) for run in runs]}


def _facts(run: Run) -> dict[str, object]:
    ended = run.ended
    return {
        "release": run.release,
        "verdict": run.verdict,
        "status": None if ended is None else ended.status,
        "seconds": None if ended is None else round(ended.duration_s, 3),
        "stdout": _written(run.out),
        "stderr": _written(run.err),
        "fault": None if ended is None or ended.fault is None else _fault(ended.fault),
        "stuck": [] if ended is None else [line.split(" ")[0] for line in ended.stuck],
        "console": [] if ended is None else list(ended.last),
        "notices": list(run.notices),
        "error": None if run.error is None else error_facts(run.error),
    }


def _written(data: bytes) -> dict[str, object]:
    """Return what a command wrote: as text where it is UTF-8, else in base64."""
    try:
        return {"encoding": "utf-8", "data": data.decode()}
    except UnicodeDecodeError:
        return {"encoding": "base64", "data": base64.b64encode(data).decode("ascii")}


def _fault(fault: Fault) -> dict[str, object]:
    return {
        "kind": fault.kind,
        "title": fault.title,
        "module": fault.module or None,
        "lines": list(fault.lines),
    }
