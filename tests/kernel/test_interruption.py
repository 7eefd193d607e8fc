from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from lkm.kernel.interruption import Interruption

SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_remembered_and_does_nothing(number: signal.Signals) -> None:
    interruption = Interruption()
    interruption.start()
    try:
        assert not interruption.came()
        os.kill(os.getpid(), number)
        assert interruption.came()
        assert (interruption.number, interruption.name) == (number, number.name)
        signal.raise_signal(signal.SIGTERM)
        assert interruption.number == number
    finally:
        interruption.stop()


def test_afterwards_it_does_what_it_did() -> None:
    interruption = Interruption()
    interruption.start()
    interruption.stop()

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert not interruption.came()


def test_what_is_ignored_or_handled_by_the_program_itself_is_left_alone() -> None:
    seen: list[int] = []
    own = lambda number, _frame: seen.append(number)  # noqa: E731  # a handler of the program's
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.signal(signal.SIGTERM, own)
    interruption = Interruption()
    interruption.start()
    try:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
    finally:
        interruption.stop()
        signal.signal(signal.SIGHUP, before[0])
        signal.signal(signal.SIGTERM, before[1])

    assert (seen, interruption.came()) == ([signal.SIGTERM], False)


def test_a_pause_ends_with_a_signal_and_not_before_its_time_without() -> None:
    interruption = Interruption()
    interruption.start()
    try:
        start = time.monotonic()
        interruption.pause(0.02)
        assert time.monotonic() - start >= 0.02
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        interruption.pause(60)
        assert time.monotonic() - start < 30
        timer.join()
    finally:
        interruption.stop()


def test_in_another_thread_nothing_is_remembered_and_nothing_fails() -> None:
    def start() -> None:
        interruption = Interruption()
        interruption.start()
        interruption.stop()
        done.append(True)

    done: list[bool] = []
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert done
