"""Another process loads, or removes, the same module at the same time."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import pytest

from lkm.errors import KernelError, UnknownSymbolError
from lkm.kernel.apply import Outcome, apply_plan
from lkm.kernel.live import LiveKernel
from lkm.resolve.plan import Insert, Plan
from tests.kernel.live import TINY, RecordedSyscalls, a_file, a_root

BUSY, THERE, CUT_SHORT = -errno.EBUSY, -errno.EEXIST, -errno.EINTR


class World:
    """A live kernel whose *states* of the module are those at the calls of finit_module."""

    def __init__(self, folder: Path, answers: Sequence[int], states: Sequence[str] = ()) -> None:
        self.root = Path(a_root(folder / "root", folders={}))
        self.states = states
        self.calls = RecordedSyscalls(finit=answers, meanwhile=self.called)
        self.kernel = LiveKernel(str(self.root), syscalls=self.calls)
        self.plan = Plan("tiny", "load", (Insert(TINY, a_file(folder).path),))
        self.paused_s: list[float] = []
        self.gone_after = 3
        self.stop = False

    def called(self, count: int) -> None:
        self.show(self.states[count] if count < len(self.states) else "")

    def show(self, state: str) -> None:
        line = f"tiny 1 0 - {state} 0x0\n" if state else ""
        (self.root / "proc/modules").write_text(line)

    def pause(self, seconds: float) -> None:
        self.paused_s.append(seconds)
        if len(self.paused_s) == self.gone_after:
            self.show("")

    def apply(self, *, first_time: bool = False) -> Outcome:
        return apply_plan(
            self.plan,
            self.kernel,
            pause=self.pause,
            stopped=lambda: self.stop,
            first_time=first_time,
        )


def errno_of(outcome: Outcome) -> int:
    assert isinstance(outcome.error, KernelError)
    return outcome.error.errno


def test_the_other_one_failed_so_ours_is_tried(tmp_path: Path) -> None:
    world = World(tmp_path, (BUSY, 0))

    outcome = world.apply()

    assert (outcome.done, outcome.error) == (world.plan.steps, None)
    assert len(world.calls.calls) == 2


def test_where_ours_fails_too_the_reason_is_told(tmp_path: Path) -> None:
    outcome = World(tmp_path, (BUSY, -errno.ENOENT)).apply()

    assert isinstance(outcome.error, UnknownSymbolError)


def test_the_other_one_succeeded_and_that_is_fine(tmp_path: Path) -> None:
    world = World(tmp_path, (THERE,), ("Live",))

    outcome = world.apply()

    assert (outcome.done, outcome.error) == ((), None)
    assert len(world.calls.calls) == 1


def test_a_module_that_another_process_is_loading_is_inserted_that_is_waited_for(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, (THERE,), ("Live",))
    world.show("Loading")

    assert world.apply().error is None
    assert len(world.calls.calls) == 1


def test_the_success_of_who_was_loading_it_before_is_not_ours(tmp_path: Path) -> None:
    world = World(tmp_path, (0,), ("Live",))
    world.show("Loading")

    outcome = world.apply()

    # Linux 6.5 and later answer 0 to both: who takes it back must not remove the other's.
    assert (outcome.done, outcome.error) == ((), None)


def test_the_failure_of_who_was_loading_it_before_is_not_ours(tmp_path: Path) -> None:
    world = World(tmp_path, (-errno.EIO, 0))
    world.show("Loading")

    assert world.apply().done == world.plan.steps
    assert len(world.calls.calls) == 2


def test_it_came_to_live_between_the_answer_and_our_look(tmp_path: Path) -> None:
    world = World(tmp_path, (BUSY, THERE), ("Live", "Live"))

    assert world.apply().error is None
    assert len(world.calls.calls) == 2


def test_an_init_that_finds_something_busy_is_not_called_for_ever(tmp_path: Path) -> None:
    world = World(tmp_path, (BUSY,))

    outcome = world.apply()

    assert errno_of(outcome) == errno.EBUSY
    assert outcome.error is not None
    assert "another process" in outcome.error.remedy
    assert len(world.calls.calls) == 2


def test_of_many_at_once_each_gets_its_turn(tmp_path: Path) -> None:
    # Ours waits for one that fails, then for the next one, which is seen at work, and so on.
    world = World(tmp_path, (BUSY, BUSY, BUSY, 0), ("Loading", "Loading", ""))

    assert world.apply().done == world.plan.steps
    assert len(world.calls.calls) == 4


def test_however_many_there_are_it_ends(tmp_path: Path) -> None:
    world = World(tmp_path, (BUSY,), ("Loading",) * 100)

    assert errno_of(world.apply()) == errno.EBUSY
    assert len(world.calls.calls) == 5


@pytest.mark.parametrize("answer", [BUSY, THERE])
def test_a_removal_under_way_is_waited_for(tmp_path: Path, answer: int) -> None:
    world = World(tmp_path, (answer, 0), ("Unloading",))

    outcome = world.apply()

    assert outcome.done == world.plan.steps
    assert world.paused_s == [0.01, 0.02, 0.04]


def test_a_removal_that_does_not_end_is_waited_for_two_seconds(tmp_path: Path) -> None:
    world = World(tmp_path, (BUSY,), ("Unloading",) * 100)
    world.gone_after = 10_000

    outcome = world.apply()

    assert errno_of(outcome) == errno.EBUSY
    assert outcome.error is not None
    assert outcome.error.remedy.startswith("another process is removing it")
    assert 2 <= sum(world.paused_s) < 2.2


def test_what_must_be_new_is_not_where_another_process_was_faster(tmp_path: Path) -> None:
    outcome = World(tmp_path, (THERE,), ("Live",)).apply(first_time=True)

    assert errno_of(outcome) == errno.EEXIST


def test_a_call_that_a_signal_cut_short_is_made_again(tmp_path: Path) -> None:
    world = World(tmp_path, (CUT_SHORT, 0))

    assert world.apply().done == world.plan.steps
    assert len(world.calls.calls) == 2


def test_unless_the_signal_was_to_end_it(tmp_path: Path) -> None:
    world = World(tmp_path, (CUT_SHORT, 0))
    world.calls = RecordedSyscalls(
        finit=(CUT_SHORT, 0), meanwhile=lambda _count: setattr(world, "stop", True)
    )
    world.kernel = LiveKernel(str(world.root), syscalls=world.calls)

    outcome = world.apply()

    assert (outcome.interrupted, outcome.failed, outcome.done) == (True, None, ())
    assert len(world.calls.calls) == 1


def test_any_other_refusal_stands(tmp_path: Path) -> None:
    world = World(tmp_path, (-errno.ENODEV, 0))

    assert errno_of(world.apply()) == errno.ENODEV
    assert len(world.calls.calls) == 1
