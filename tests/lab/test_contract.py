"""Real kernels keep the contract, are left by lkm as by kmod, and as a cut-short lkm says.

One guest of each kernel goes through all of it; what ends a guest has one of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import pytest

from lkm.errors import NoLabProgramError
from lkm.lab.session import Ended
from tests.conftest import missing
from tests.debian import NotHere
from tests.kernel.contract import CHECKS
from tests.lab.cut_short import CHAIN
from tests.lab.guests import Prepared, prepare
from tests.lab.sequences import SEQUENCES, Sequence
from tests.oracle.declared import DIFFERENCES
from tests.outcomes.case import EVERY, Series
from tests.outcomes.kernels import newest_kernel

# The status is that of the contract; the others are judged by what they tell.
_INSIDE = "python3 -m tests.kernel.contract $0; held=$?; python3 -m tests.lab.beside_kmod $0; "
_INSIDE += "python3 -m tests.lab.cut_short; exit $held"
# All of it takes 40 to 60 s where nothing else runs.
_ALL_S = 400
# What never ends is stopped then.
_NEVER_S = 25
_BOTH = pytest.mark.parametrize("series", EVERY)
_ENDINGS: Mapping[str, Series] = {"tm_hang": "6.1", "tm_spin": "6.12"}
_STREAMS = ("out", "err")
_NUMBERS = {"SIGHUP": 1, "SIGINT": 2, "SIGTERM": 15}

Line = dict[str, object]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Told:
    """What the long guest of a kernel told, by what it was about."""

    ended: Ended
    err: str
    checks: list[Line]
    sequences: list[Line]
    cuts: list[Line]


@dataclass(frozen=True)
class Guests:
    """What the guests will have come to; they run at the same time."""

    long: Mapping[Series, Future[Told]]
    oopses: Mapping[Series, Future[Ended]]
    endless: Mapping[str, Future[Ended]]


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    try:
        prepared = {
            series: prepare(newest_kernel(series), tmp_path_factory.mktemp("guest"))
            for series in EVERY
        }
    except NotHere as reason:
        missing("debian", str(reason))
        raise
    # Two that work, and one that mostly waits.
    with ThreadPoolExecutor(3) as threads:
        long = {series: threads.submit(go_through_all, prepared[series]) for series in EVERY}
        endless = {
            name: threads.submit(load_the_endless, prepared[series], name)
            for name, series in _ENDINGS.items()
        }
        oopses = {series: threads.submit(oops, prepared[series]) for series in EVERY}
        yield Guests(long, oopses, endless)


@pytest.mark.debian
@pytest.mark.lab
@_BOTH
def test_the_running_kernel_keeps_the_contract(series: Series, guests: Guests) -> None:
    told = of(guests.long[series])

    failed = [line for line in told.checks if "failed" in line]
    done = [line["check"] for line in told.checks]
    print(f"\n{series}: {len(done) - len(failed)} of {len(CHECKS)} checks of the contract")
    assert "\n".join([str(line["failed"]) for line in failed]) == ""
    assert done == [check.__name__ for check in CHECKS], told.err
    assert len(done) > 30
    assert told.ended.status == 0
    assert told.ended.fault is None


@pytest.mark.debian
@pytest.mark.oracle
@pytest.mark.lab
@_BOTH
def test_lkm_and_kmod_leave_the_same_modules(series: Series, guests: Guests) -> None:
    told = of(guests.long[series])

    problems: list[str] = []
    lines = alike = 0
    for sequence, seen in zip(SEQUENCES, told.sequences, strict=True):
        assert seen["sequence"] == sequence.name
        for number, line in enumerate(sequence.lines):
            theirs, ours = answer(seen, "kmod", number), answer(seen, "lkm", number)
            differ = [*not_left_alike(theirs, ours), *undeclared(sequence, number, theirs, ours)]
            problems += [f"{sequence.name}: {line}: {each}" for each in differ]
            lines += 1
            alike += not differ
    print(f"\n{series}: {len(SEQUENCES)} sequences, {alike} of {lines} lines alike")
    assert "\n".join(problems) == ""
    assert len(SEQUENCES) >= 20
    assert lines > 150


@pytest.mark.debian
@pytest.mark.lab
@_BOTH
def test_what_is_loaded_after_a_kill_is_what_was_said(series: Series, guests: Guests) -> None:
    told = of(guests.long[series])

    seen = [cut for cut in told.cuts if cut["signal"] == "SIGKILL"]
    problems = [f"{cut}" for cut in seen if not is_as_said(cut)]
    print(f"\n{series}: {len(seen) - len(problems)} of {len(seen)} times as said after SIGKILL")
    assert problems == []
    assert len(seen) == 9
    assert {len(names(cut)) for cut in seen} >= {1, 2, 3}, "at every place of the chain"


@pytest.mark.debian
@pytest.mark.lab
@_BOTH
def test_what_is_loaded_after_a_signal_is_what_is_reported(series: Series, guests: Guests) -> None:
    told = of(guests.long[series])

    seen = [cut for cut in told.cuts if cut["signal"] != "SIGKILL"]
    problems = [f"{cut}" for cut in seen if not is_as_reported(cut)]
    print(f"\n{series}: {len(seen) - len(problems)} of {len(seen)} times as reported")
    assert problems == []
    assert len(seen) == 10
    assert {str(cut["signal"]) for cut in seen} == set(_NUMBERS)


@pytest.mark.debian
@pytest.mark.lab
@_BOTH
def test_an_init_that_oopses_is_named_with_its_lines(series: Series, guests: Guests) -> None:
    ended = of(guests.oopses[series])

    assert ended.fault is not None
    assert (ended.fault.kind, ended.fault.module) == ("oops", "tm_oops")
    assert "NULL pointer dereference" in ended.fault.title
    assert any(re.match(r"RIP: .*tm_oops_init\+", line) for line in ended.fault.lines)
    assert not ended.hung


@pytest.mark.debian
@pytest.mark.lab
def test_an_init_that_never_ends_is_what_the_guest_is_stuck_in(guests: Guests) -> None:
    ended = of(guests.endless["tm_hang"])

    assert ended.hung
    assert [line.split()[0] for line in ended.stuck] == ["tm_hang"]
    assert " Loading " in ended.stuck[0]
    assert ended.status is None


@pytest.mark.debian
@pytest.mark.lab
def test_an_init_that_spins_is_named_by_a_trace_of_it(guests: Guests) -> None:
    ended = of(guests.endless["tm_spin"])

    assert ended.hung
    assert ended.stuck == (), "it cannot answer"
    assert ended.fault is not None
    assert ended.fault.module == "tm_spin"
    assert any("tm_spin_init+" in line for line in ended.fault.lines)


def go_through_all(prepared: Prepared) -> Told:
    ended, out, err = prepared.run("sh", "-c", _INSIDE, str(prepared.files), timeout_s=_ALL_S)
    lines: list[Line] = [json.loads(line) for line in out.splitlines()]
    return Told(
        ended,
        err,
        checks=[line for line in lines if "check" in line],
        sequences=[line for line in lines if "sequence" in line],
        cuts=[line for line in lines if "signal" in line],
    )


def oops(prepared: Prepared) -> Ended:
    return insmod(prepared, "tm_oops", 120)


def load_the_endless(prepared: Prepared, name: str) -> Ended:
    ended = insmod(prepared, name, _NEVER_S)
    if ended.stuck or ended.fault is not None:
        return ended
    return insmod(prepared, name, 5 * _NEVER_S)  # on a busy machine it had not come to it


def insmod(prepared: Prepared, name: str, timeout_s: float) -> Ended:
    path = f"/lib/modules/{prepared.kernel.release}/kernel/{name}.ko"
    return prepared.run("insmod", path, timeout_s=timeout_s)[0]


def of(waiting: Future[Result]) -> Result:
    try:
        return waiting.result()
    except (NotHere, NoLabProgramError) as reason:
        missing("lab", str(reason))
        raise


def answer(seen: Line, program: str, number: int) -> Line:
    answers = seen[program]
    assert isinstance(answers, list)
    found: Line = answers[number]
    return found


def not_left_alike(theirs: Line, ours: Line) -> list[str]:
    """Return what is loaded after both, where that is not the same: nothing excuses that."""
    if theirs["modules"] == ours["modules"]:
        return []
    return [f"kmod leaves\n{theirs['modules']}and lkm\n{ours['modules']}"]


def undeclared(sequence: Sequence, number: int, theirs: Line, ours: Line) -> list[str]:
    """Return in what the two answers differ, but for declared differences."""
    if number in sequence.differs:
        assert sequence.differs[number] in {each.id for each in DIFFERENCES}
        return [] if theirs != ours else ["it is said to differ"]
    return [
        f"{part}: kmod {theirs[part]!r}, lkm {ours[part]!r}"
        for part in ("status", *_STREAMS)
        if theirs[part] != ours[part]
        and as_declared("kmod", part, theirs) != as_declared("lkm", part, ours)
    ]


def as_declared(program: str, part: str, answered: Line) -> object:
    text = answered[part]
    if isinstance(text, str):
        for each in DIFFERENCES:
            if (each.of, each.stream) == (program, part):
                text = re.sub(each.pattern, each.becomes, text, flags=re.MULTILINE)
    return text


def is_as_said(cut: Line) -> bool:
    """Tell whether what was said to be inserted is loaded, but for the last one perhaps."""
    said = re.findall(r"^insmod \S+/(\w+)\.ko", str(cut["out"]), re.MULTILINE)
    loaded = names(cut)
    in_order = said == list(CHAIN[: len(said)]) and len(said) >= int(str(cut["begun"]))
    return in_order and loaded in (said, said[:-1]) and cut["live"] is True and cut["status"] == -9


def is_as_reported(cut: Line) -> bool:
    """Tell whether exactly that is loaded which was reported, and the end is that of the signal."""
    words, signal, loaded = cut["words"], str(cut["signal"]), names(cut)
    assert isinstance(words, list)
    told = re.search(
        r"^modprobe: ERROR: interrupted by (\w+); (.*)$", str(cut["err"]), re.MULTILINE
    )
    if told is None or told[1] != signal or cut["status"] != 128 + _NUMBERS[signal]:
        return False
    reported = told[2].removeprefix("loaded until then: ").split()
    if "--atomic" in words:
        return loaded == [] and f"removed again: {' '.join(reversed(reported))}" in str(cut["err"])
    if "--json" in words and not is_in_document(json.loads(str(cut["out"])), signal, loaded):
        return False
    return loaded == reported == list(CHAIN[: len(loaded)]) and cut["live"] is True


def is_in_document(document: Line, signal: str, loaded: list[str]) -> bool:
    (plan,) = items(document["plans"])
    outcome = plan["outcome"]
    assert isinstance(outcome, dict)
    return document["interrupted"] == signal and outcome["done"] == loaded


def items(found: object) -> list[Line]:
    assert isinstance(found, list)
    return found


def names(cut: Line) -> list[str]:
    found = cut["loaded"]
    assert isinstance(found, list)
    return [str(name) for name in found]
