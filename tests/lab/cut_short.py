"""In a guest: lkm's modprobe is killed in the middle of a chain of loads, again and again.

``python3 -m tests.lab.cut_short`` prints a JSON line for each time: what modprobe said, and what
was loaded when it had ended. The inits of the chain take their time, so that a signal meets them.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import time

from lkm.cli.main import main as lkm_main
from lkm.errors import KernelError
from lkm.kernel.live import LiveKernel

CHAIN = ("tm_nap1", "tm_nap2", "tm_nap3", "tm_nap4")
_WORD = CHAIN[-1]
# As soon as the line stands there, and in the middle of the init.
_PAUSES_S = (0.0, 0.08)
_LONGEST_S = 20


class Started:
    """A modprobe that runs, in a process of its own; *by_name* by the program of that name.

    Python takes half a second to start here, so that most are forked off from this one.
    """

    def __init__(self, *words: str, by_name: bool = False) -> None:
        self.words = words
        self.out = b""
        self._out, their_out = os.pipe()
        self._err, their_err = os.pipe()
        self._child = os.fork()
        if not self._child:
            os.dup2(their_out, 1)
            os.dup2(their_err, 2)
            if by_name:
                os.execvp("modprobe", ["modprobe", *words])
            status = 70  # of a program that failed by itself
            try:
                with (
                    open(1, "w", encoding="utf-8", closefd=False) as sys.stdout,
                    open(2, "w", encoding="utf-8", closefd=False) as sys.stderr,
                ):
                    status = lkm_main(["modprobe", *words])
            finally:  # whatever it raises must not go on as a second copy of the parent
                os._exit(status)
        os.close(their_out)
        os.close(their_err)

    def has_begun(self, count: int) -> None:
        """Wait until it says that it inserts the module of that number, or the kernel does."""
        if "-v" not in self.words:
            end = time.monotonic() + _LONGEST_S
            while len(loaded()) < count and time.monotonic() < end:
                time.sleep(0.01)
            return
        while self.out.count(b"\n") < count:
            data = os.read(self._out, 4096)
            if not data:
                return
            self.out += data

    def killed(self, name: str) -> dict[str, object]:
        """Send it the signal; return what came of it."""
        os.kill(self._child, signal.Signals[name])
        err = b""
        while data := os.read(self._out, 4096):
            self.out += data
        while data := os.read(self._err, 4096):
            err += data
        _child, status = os.waitpid(self._child, 0)
        os.close(self._out)
        os.close(self._err)
        return {
            "words": self.words,
            "signal": name,
            "status": os.waitstatus_to_exitcode(status),
            "out": self.out.decode(),
            "err": err.decode(),
            "loaded": loaded(),
            "live": all(module.state == "live" for module in LiveKernel().modules()),
        }


def main() -> int:
    warm_up()
    for count in range(1, len(CHAIN) + 1):
        for pause_s in _PAUSES_S:
            once("-v", _WORD, name="SIGKILL", count=count, pause_s=pause_s)
    once("-v", _WORD, name="SIGKILL", count=2, pause_s=0.05, by_name=True)
    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        for count in (1, 3):
            once("-v", _WORD, name=name, count=count, pause_s=0.05)
    once("-v", _WORD, name="SIGTERM", count=2, pause_s=0.05, by_name=True)
    once("-v", "--atomic", _WORD, name="SIGTERM", count=3, pause_s=0.05)
    for name in ("SIGTERM", "SIGINT"):
        once("--json", _WORD, name=name, count=2, pause_s=0.05)
    return 0


def once(*words: str, name: str, count: int, pause_s: float, by_name: bool = False) -> None:
    clear()
    modprobe = Started(*words, by_name=by_name)
    modprobe.has_begun(count)
    time.sleep(pause_s)
    told = {"begun": count, **modprobe.killed(name)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def warm_up() -> None:
    """Have all imported that is imported on the way, so that those forked off need not."""
    with contextlib.redirect_stdout(io.StringIO()):
        for words in (("-v", _WORD, "ms=0"), ("-r", _WORD), ("--json", _WORD)):
            lkm_main(["modprobe", *words])
    clear()


def loaded() -> list[str]:
    """Return what is loaded, oldest first."""
    return [module.name for module in reversed(LiveKernel().modules())]


def clear() -> None:
    kernel = LiveKernel()
    while left := kernel.modules():
        for module in left:
            with contextlib.suppress(KernelError):  # its users come first
                kernel.remove(module.name)


if __name__ == "__main__":
    sys.exit(main())
