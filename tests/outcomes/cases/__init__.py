"""The cases, by what they are about; ``CASES`` are all of them, by their ids."""

from __future__ import annotations

from tests.outcomes.case import Case
from tests.outcomes.cases import (
    combined,
    corners,
    elf,
    enforcement,
    entry,
    modinfo,
    obscure,
    packed,
    parameters,
    relocations,
    removing,
    rows,
    signature_messages,
    signatures,
    states,
    symbols,
    types,
)

CASES: dict[str, Case] = {
    case.id: case
    for room in (
        entry,
        elf,
        modinfo,
        symbols,
        parameters,
        obscure,
        removing,
        states,
        relocations,
        rows,
        combined,
        corners,
        signatures,
        signature_messages,
        enforcement,
        packed,
        types,
    )
    for case in room.CASES
}
