from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from lkm._fork import MOST_TURNS, Forks, cores, dealt, in_turn, turns


def whose(number: int) -> tuple[int, int]:
    return os.getpid(), number * 2


def large(size: int) -> list[bytes]:
    return [b"x" * size]


def slow_death(parent: int) -> str:
    if os.getpid() != parent:
        os._exit(9)
    return "here"


def test_another_process_answers() -> None:
    with Forks((whose,), 2) as forks:
        answers = [forks.ask(number, whose, number) for number in range(2)]
        (first, zero), (second, two) = [answer() for answer in answers]

    assert len({first, second, os.getpid()}) == 3
    assert (zero, two) == (0, 2)


def test_questions_and_answers_may_be_larger_than_a_pipe() -> None:
    with Forks((large,), 1) as forks:
        assert forks.ask(0, large, 5_000_000)() == [b"x" * 5_000_000]


def test_without_another_process_this_one_answers() -> None:
    with Forks((whose,), 0) as forks:
        assert forks.ask(0, whose, 4)() == (os.getpid(), 8)


def test_where_it_dies_this_one_answers() -> None:
    with Forks((slow_death, whose), 1) as forks:
        assert forks.ask(0, slow_death, os.getpid())() == "here"
        assert forks.ask(0, whose, 1)() == (os.getpid(), 2)


def test_where_none_can_be_started_this_one_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refused)
    before = len(os.listdir("/proc/self/fd"))

    with Forks((whose,), 1) as forks:
        assert forks.ask(0, whose, 1)() == (os.getpid(), 2)
    assert len(os.listdir("/proc/self/fd")) == before


def test_none_is_left_behind() -> None:
    with Forks((whose,), 1) as forks:
        pid, _ = forks.ask(0, whose, 1)()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_no_fork_where_other_threads_run() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert cores() == 1
    finally:
        stop.set()
        thread.join()
    assert cores() == len(os.sched_getaffinity(0))


def test_an_error_there_is_an_error_here() -> None:
    with Forks((time.sleep,), 1) as forks, pytest.raises(ValueError, match="non-negative"):
        forks.ask(0, time.sleep, -1)()


def halves(numbers: list[int]) -> list[tuple[int, int]]:
    return [(number // 2, os.getpid()) for number in numbers]


def unlucky(numbers: list[int]) -> list[int]:
    if os.getpid() != HERE and 13 in numbers:
        os._exit(9)
    return numbers


HERE = os.getpid()


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("size", [0, 1, 10, 101])
def test_answers_come_in_turn_whoever_gives_them(count: int, size: int) -> None:
    sizes = [number % 7 for number in range(size)]

    answers = list(in_turn(halves, sizes, window=10, count=count))

    assert [half for half, _ in answers] == [number // 2 for number in range(size)]
    assert len({pid for _, pid in answers}) == min(1 + count, size)


def test_in_turn_those_of_a_process_that_died_are_answered_here() -> None:
    assert list(in_turn(unlucky, [1] * 50, window=10, count=2)) == list(range(50))


def test_no_more_is_asked_than_a_window_ahead() -> None:
    asked: list[int] = []

    def noted(numbers: list[int]) -> list[int]:
        asked.extend(numbers)
        return numbers

    answers = in_turn(noted, [1] * 1000, window=10)
    assert next(answers) == 0

    assert len(asked) <= 20


def test_whoever_stops_asking_leaves_no_process_behind() -> None:
    answers = in_turn(halves, [1] * 1000, window=10, count=1)
    pids = {pid for _, pid in [next(answers) for _ in range(10)]} - {os.getpid()}

    answers.close()

    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert len(pids) == 1


def test_shares_are_of_about_the_same_size() -> None:
    sizes = [100, 1, 1, 50, 50, 1, 1]

    shares = dealt(range(7), sizes, 2)

    assert sorted(number for share in shares for number in share) == list(range(7))
    assert [sum(sizes[number] for number in share) for share in shares] == [102, 102]


def taken(dealt_as: int) -> tuple[int, list[int]]:
    found = []
    for number in turns(dealt_as):
        found.append(number)
        time.sleep(0.0005)  # so that the others come to theirs
    return os.getpid(), found


def test_each_turn_is_taken_once_and_by_all() -> None:
    with Forks((taken,), 2) as forks:
        for count in (1, 100, MOST_TURNS // 8):
            dealt_as = forks.deal(count)
            asked = [forks.ask(number, taken, dealt_as) for number in range(2)]
            said = [taken(dealt_as), *[answer() for answer in asked]]

            assert sorted(number for _, each in said for number in each) == list(range(count))
            assert len({pid for pid, _ in said}) == 3
            assert count < 100 or all(each for _, each in said)


def test_all_turns_that_may_be_dealt_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lkm._fork._PIPE_BYTES", 4096)
    with Forks((taken,), 1) as forks:
        assert len(list(turns(forks.deal(MOST_TURNS)))) == MOST_TURNS


def test_nothing_stays_open() -> None:
    before = sorted(os.listdir("/proc/self/fd"))
    with Forks((taken,), 2) as forks:
        forks.deal(3)
    assert sorted(os.listdir("/proc/self/fd")) == before


def test_where_the_kernel_takes_the_dead_itself_it_works() -> None:
    # So a supervisor may start programs: with SIGCHLD ignored.
    program = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from lkm._fork import Forks\n"
        "with Forks((len,), 2) as forks: print(forks.ask(0, len, 'four')())\n"
    )
    words = [sys.executable, "-c", program]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "4\n", "")


def test_without_room_for_a_pipe_this_one_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(os, "pipe", refused)
    with Forks((whose,), 2) as forks:
        assert len(forks) == 0
        assert forks.ask(0, whose, 1)() == (os.getpid(), 2)


def test_what_interrupts_the_other_process_at_its_start_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parent, close = os.getpid(), os.close

    def interrupted(descriptor: int) -> None:
        if os.getpid() != parent:
            raise KeyboardInterrupt
        close(descriptor)

    monkeypatch.setattr(os, "close", interrupted)
    with Forks((whose,), 1) as forks:
        assert forks.ask(0, whose, 3)() == (parent, 6)
    assert os.getpid() == parent
