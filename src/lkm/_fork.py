"""Other processes that do a part of the work: depmod reads thousands of files on all cores.

They are forked, so that they know what this one knows, and are asked by messages: the name of a
function and its arguments, which like its answer are values that ``marshal`` knows. Should one of
them die, its question is answered in this process.
"""

from __future__ import annotations

import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO, Generic, ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

    class Answer(Generic[T]):
        """What will be the answer to a question."""

        def __call__(self) -> T:
            """Wait for it."""


_SIGKILL = 9  # everywhere; the module that names it costs more than the rest of this one


class Forks:
    """*count* processes beside this one, each of which answers one question after the other.

    *functions* are those that may be asked for. Without another process, or where none is to be
    had, every question is answered here, when its answer is wanted.
    """

    def __init__(self, functions: tuple[object, ...], count: int) -> None:
        by_name = {getattr(function, "__name__", ""): function for function in functions}
        self._forks = [_Fork(by_name) for _ in range(count)]
        self._here = by_name

    def __len__(self) -> int:
        return len(self._forks)

    def ask(
        self, number: int, function: Callable[P, T], *args: P.args, **kw: P.kwargs
    ) -> Answer[T]:
        """Have that process call *function* while this one goes on.

        It takes no further question before the answer has been fetched.
        """
        assert not kw
        if not self._forks:
            return lambda: function(*args)  # type: ignore[return-value, call-arg]  # an Answer
        fork = self._forks[number]
        fork.ask(function.__name__, args)
        return lambda: fork.answer(function.__name__, args)  # type: ignore[return-value]  # the same

    def __enter__(self) -> Forks:
        return self

    def __exit__(self, *_: object) -> None:
        for fork in self._forks:
            fork.close()


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
            self._pid = os.fork()
        except OSError:  # no room for another one
            for descriptor in pipes:
                os.close(descriptor)
            return
        theirs, questions, answers, back = pipes
        if not self._pid:
            os.close(questions)
            os.close(answers)
            _answer_all(functions, theirs, back)
        os.close(theirs)
        os.close(back)
        self._questions = open(questions, "wb")  # noqa: SIM115  # until close
        self._answers = open(answers, "rb")  # noqa: SIM115

    def ask(self, name: str, arguments: tuple[object, ...]) -> None:
        if self._questions is None:
            return
        try:
            self._questions.write(_packed((name, arguments)))
            self._questions.flush()
        except OSError:
            self.close()

    def answer(self, name: str, arguments: tuple[object, ...]) -> object:
        if self._answers is not None:
            try:
                return marshal.load(self._answers)  # noqa: S302  # our own child has written it
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
            os.kill(self._pid, _SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


def cores() -> int:
    """Return how many processes can run at once; 1 where a fork would not be safe."""
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        return 1  # a forked process would have the other threads' locks, and not the threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def _answer_all(functions: Mapping[str, object], questions: int, answers: int) -> None:
    """Answer until nobody asks any more, and end this process."""
    status = 1
    try:
        with open(questions, "rb") as source, open(answers, "wb") as sink:
            while True:
                name, arguments = marshal.load(source)  # noqa: S302  # our own parent's
                sink.write(_packed(_call(functions[name], arguments)))
                sink.flush()
    except EOFError:
        status = 0
    finally:
        # Neither the exit handlers nor the output yet to be written are this process's own.
        os._exit(status)


def _call(function: object, arguments: tuple[object, ...]) -> object:
    assert callable(function)
    return function(*arguments)


def _packed(value: object) -> bytes:
    return marshal.dumps(value)  # type: ignore[arg-type]  # by contract such a value
