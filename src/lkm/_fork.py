"""Other processes that do a part of the work: depmod reads thousands of files on all cores.

They are forked, so that they know what this one knows, and are asked by messages: the name of a
function and its arguments, which like its answer are values that ``marshal`` knows. Should one of
them die, its question is answered in this process; what it had taken of work that is dealt out in
turns is for who has dealt it.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from typing import BinaryIO, Generic, TypeVar, TypeVarTuple

    T = TypeVar("T")
    Ts = TypeVarTuple("Ts")
    Question = tuple[str, tuple[object, ...]]

    class Answer(Generic[T]):
        """What will be the answer to a question."""

        def __call__(self) -> T:
            """Wait for it."""


_WORTH_A_FORK = 200  # module files
_LENGTH_BYTES = 8  # of a message, before it
_TURN_BYTES = 4
MOST_TURNS = 1 << 12  # what fits into every pipe
_PIPE_BYTES = 1 << 20  # what Linux allows everybody
_SIGKILL = 9  # everywhere; the module that names it costs more than the rest of this one


class Forks:
    """*count* processes beside this one, each of which answers one question after the other.

    *functions* are those that may be asked for. Without another process, or where none is to be
    had, every question is answered here, when its answer is wanted.
    """

    def __init__(self, functions: tuple[object, ...], count: int) -> None:
        self._functions = {getattr(function, "__name__", ""): function for function in functions}
        self._count = count
        self._turns: tuple[int, int] | None = None
        self._forks: list[_Fork] = []

    def __len__(self) -> int:
        return len(self._forks)

    def ask(self, number: int, function: Callable[[*Ts], T], *args: *Ts) -> Answer[T]:
        """Have that process call *function* while this one goes on.

        A question that is larger than a pipe is waited for until the process has read it. Further
        ones wait in its pipe, so those that wait must be small.
        """
        if not self._forks:
            return lambda: function(*args)  # type: ignore[return-value]  # an Answer
        fork = self._forks[number]
        fork.ask(function.__name__, args)
        return lambda: fork.answer(function.__name__, args)  # type: ignore[return-value]  # the same

    def deal(self, count: int) -> int:
        """Lay out the numbers below *count*, at most ``MOST_TURNS``, for ``turns`` to take.

        Returns what that is to be given, by this process and by those beside it. The turns that a
        process had taken when it died are lost: who deals looks whether each was answered.
        """
        assert self._turns is not None
        take, lay = self._turns
        os.write(lay, b"".join([number.to_bytes(_TURN_BYTES) for number in range(count)]))
        return take

    def __enter__(self) -> Forks:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        try:
            self._turns = os.pipe() if self._count else None
        except OSError:
            return  # then this process is alone
        if self._turns is not None:
            os.set_blocking(self._turns[0], False)
        for _ in range(self._count):
            self._forks.append(_Fork(self._functions))

    def __exit__(self, *_: object) -> None:
        for fork in self._forks:
            fork.close()
        for descriptor in self._turns or ():
            os.close(descriptor)
        self._turns = None


class _Fork:
    """One other process; None of its streams is left where it could not be started, or is lost."""

    def __init__(self, functions: Mapping[str, object]) -> None:
        self._functions = functions
        self._pid = 0
        self._questions: BinaryIO | None = None
        self._answers: BinaryIO | None = None
        pipes: list[int] = []
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            theirs, questions, answers, back = pipes
            _widen(questions)
            _widen(answers)
            self._pid = os.fork()
        except OSError:  # no room for another one
            for descriptor in pipes:
                os.close(descriptor)
            return
        if not self._pid:
            _answer_all(functions, theirs, back, not_ours=(questions, answers))
        os.close(theirs)
        os.close(back)
        self._questions = open(questions, "wb")  # noqa: SIM115  # until close
        self._answers = open(answers, "rb")  # noqa: SIM115

    def ask(self, name: str, arguments: tuple[object, ...]) -> None:
        if self._questions is None:
            return
        try:
            _send((name, arguments), self._questions)
        except OSError:
            self.close()

    def answer(self, name: str, arguments: tuple[object, ...]) -> object:
        if self._answers is not None:
            try:
                return _received(self._answers)
            except (EOFError, OSError, ValueError, TypeError):
                self.close()
        return _call(self._functions[name], arguments)

    def close(self) -> None:
        for stream in (self._questions, self._answers):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue  # what was still to be written has no reader
        self._questions = self._answers = None
        if self._pid:
            # It holds nothing that could be lost; and it may not see the end of its questions,
            # since a process forked after it holds their other end as well.
            pid, self._pid = self._pid, 0
            try:
                os.kill(pid, _SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                return  # whoever called this program ignores SIGCHLD, so the kernel has done it


def in_turn(
    function: Callable[[list[int]], list[T]], sizes: Sequence[int], *, window: int, count: int = 0
) -> Generator[T, None, None]:
    """Yield what *function* says of each number from 0 on, of as many as there are *sizes*.

    It is asked for lists of numbers, by *count* other processes at the same time, which start with
    what this one knows now. They are given no more than a *window* of numbers ahead, so that what
    they have said and nobody has taken yet is bounded. *sizes* tell how much work each number is.
    """
    with Forks((function,), count) as forks:
        waiting: list[tuple[list[int], Answer[list[T]]]] = []
        for first in range(0, len(sizes), window):
            shares = dealt(range(first, min(first + window, len(sizes))), sizes, 1 + count)
            own = shares.pop(0)
            asked = [(one, forks.ask(at, function, one)) for at, one in enumerate(shares)]
            yield from _in_order(waiting)
            waiting = [*asked, (own, _later(function, own))]
        yield from _in_order(waiting)


def dealt(numbers: Sequence[int], sizes: Sequence[int], count: int) -> list[list[int]]:
    """Return *numbers* in *count* shares of about the same size."""
    shares: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for number in sorted(numbers, key=sizes.__getitem__, reverse=True):
        lightest = loads.index(min(loads))
        shares[lightest].append(number)
        loads[lightest] += sizes[number]
    return shares


def _in_order(shares: list[tuple[list[int], Answer[list[T]]]]) -> Iterator[T]:
    # The last one is this process's own: it is worked at while the others are at theirs.
    said: dict[int, T] = {}
    for numbers, answer in reversed(shares):
        said.update(zip(numbers, answer(), strict=True))
    for number in sorted(said):
        yield said[number]


def _later(function: Callable[[list[int]], list[T]], numbers: list[int]) -> Answer[list[T]]:
    return lambda: function(numbers)  # type: ignore[return-value]  # an Answer


def turns(dealt_as: int) -> Iterator[int]:
    """Yield one by one the numbers that ``Forks.deal`` has laid out, each to one process alone."""
    try:
        while turn := os.read(dealt_as, _TURN_BYTES):
            yield int.from_bytes(turn)
    except BlockingIOError:
        return  # all are taken


def cores() -> int:
    """Return how many processes can run at once; 1 where a fork would not be safe."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return 1  # a forked process would have the other threads' locks, and not the threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _widen(pipe: int) -> None:
    """Let a pipe hold a large message, so that who writes it can go on before it is read."""
    try:
        from fcntl import F_SETPIPE_SZ, fcntl

        fcntl(pipe, F_SETPIPE_SZ, _PIPE_BYTES)
    except (ImportError, OSError):
        return  # then it takes more turns


def forks_for(files: int) -> int:
    """Return how many other processes are worth their start to read so many module files."""
    return min(cores(), 1 + files // _WORTH_A_FORK) - 1


def _answer_all(
    functions: Mapping[str, object], questions: int, answers: int, not_ours: Sequence[int]
) -> None:
    """Answer until nobody asks any more, and end this process, whatever happens."""
    status = 1
    try:
        for descriptor in not_ours:
            os.close(descriptor)
        with open(questions, "rb") as source, open(answers, "wb") as sink:
            while True:
                question: Question = _received(source)  # type: ignore[assignment]  # our parent's
                name, arguments = question
                _send(_call(functions[name], arguments), sink)
    except EOFError:
        status = 0
    finally:
        # Neither the exit handlers nor the output yet to be written are this process's own.
        os._exit(status)


def _call(function: object, arguments: tuple[object, ...]) -> object:
    assert callable(function)
    return function(*arguments)


def _send(value: object, sink: BinaryIO) -> None:
    data = marshal.dumps(value)  # type: ignore[arg-type]  # by contract such a value
    sink.write(len(data).to_bytes(_LENGTH_BYTES, "little"))
    sink.write(data)
    sink.flush()


def _received(source: BinaryIO) -> object:
    # As a whole: to read it from a file marshal would call that for each small part.
    size = int.from_bytes(source.read(_LENGTH_BYTES), "little")
    if not size:
        raise EOFError
    received: object = marshal.loads(source.read(size))  # noqa: S302  # of our own process
    return received
