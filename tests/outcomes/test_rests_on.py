"""What a finding says that it rests on, its check has really looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import ClassVar

from lkm.errors import FormatError
from lkm.kernel.sandbox_facts import kernel_facts
from lkm.kernel.store import Store
from lkm.loader.check_ids import RESTS_ON
from lkm.loader.checks import checks_of, file_findings
from lkm.loader.facts import KernelFacts
from lkm.loader.file.given import GivenFile
from lkm.loader.file.module_facts import module_facts
from lkm.loader.findings import Finding
from lkm.loader.memory.placing import place
from tests.conftest import missing
from tests.outcomes.kernels import cases_for, files_of
from tests.outcomes.records import RecordedKernel, all_records

FIELDS = frozenset([field.name for field in fields(KernelFacts)])
# So many of the ids come up in cases of one module on a fresh kernel; units hold the others.
MET = 25


class Watched(KernelFacts):
    """A kernel that notes which of its facts are asked for."""

    __slots__ = ()
    asked: ClassVar[set[str]] = set()

    def __getattribute__(self, name: str) -> object:
        if name in FIELDS:
            Watched.asked.add(name)
        return super().__getattribute__(name)


def test_they_are_facts_of_a_kernel() -> None:
    assert {name for names in RESTS_ON.values() for name in names} <= FIELDS


def test_each_was_asked_for_by_its_check(
    recorded: dict[str, RecordedKernel], booted: dict[tuple[str, str], Path]
) -> None:
    if not recorded:
        missing("records", "no kernel is recorded")
    asked: dict[str, set[str]] = {}
    for record in all_records():
        for case in cases_for(record.series):
            state = str(booted[record.release, case.command_line])
            with closing(Store(state)) as store, store.reading() as connection:
                kernel = kernel_facts(connection)
                for data in files_of(case, recorded[record.release]).values():
                    for finding, names in _findings(data, kernel):
                        asked.setdefault(finding.check, set()).update(names)

    unasked = {
        check: missed for check, names in asked.items() if (missed := set(RESTS_ON[check]) - names)
    }
    assert unasked == {}
    assert len(asked) >= MET


def _findings(data: bytes, facts: KernelFacts) -> Iterator[tuple[Finding, set[str]]]:
    """Yield what is found in *data*, each with the facts that were asked for until then."""
    values = {name: getattr(facts, name) for name in FIELDS}
    kernel = Watched(**values)
    given = GivenFile(data, kernel, 0, by_descriptor=True)
    found = list(_noting(file_findings(given)))
    yield from found
    if any(finding.refuses for finding, _names in found):
        return
    Watched.asked.clear()
    try:
        module = module_facts("", given, "nosuch=1")
        module = replace(module, placed=place(module, kernel))
    except FormatError:
        return
    for_memory = set(Watched.asked)
    for check in checks_of(kernel):
        for finding, names in _noting(check(module, kernel)):
            # What was imported comes from them, also for the checks behind theirs.
            yield finding, names | for_memory | ({"symbols"} if module.imports else set())
            if finding.refuses:
                return


def _noting(findings: Iterator[Finding]) -> Iterator[tuple[Finding, set[str]]]:
    """Yield *findings*, which a check has yet to make, with what it has asked for by then."""
    Watched.asked.clear()
    for finding in findings:
        yield finding, set(Watched.asked)
