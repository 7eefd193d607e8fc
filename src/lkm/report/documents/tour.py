"""The lesson: what it was told on, and what it verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.report.documents.writing import Document
    from lkm.tour.events import Scene
    from lkm.tour.telling import Checked


def tour_document(scene: Scene, checked: Sequence[Checked]) -> Document:
    """Return every claim of the lesson and whether it held."""
    return {
        "schema": "lkm.tour/1",
        "kernel": scene.on,
        "release": scene.release,
        "claims": [{"step": one.step, "claim": one.claim, "holds": one.holds} for one in checked],
    }
