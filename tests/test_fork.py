from __future__ import annotations

import os
import threading
import time

import pytest

from lkm._fork import Forks, cores


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
