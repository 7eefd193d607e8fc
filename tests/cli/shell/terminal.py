"""A real shell at a pseudo terminal, into which lines are typed."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from collections.abc import Mapping, Sequence

_GIVE_UP_S = 60.0

# How each shell is started without the user's own settings, and told of lkm's completion.
SHELLS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "bash": (
        ("bash", "--norc", "--noprofile", "-i"),
        ('eval "$(lkm completion bash)"',),
    ),
    "zsh": (
        ("zsh", "-f", "-i"),
        ("autoload -Uz compinit; compinit -u -D", "source <(lkm completion zsh)"),
    ),
    "fish": (("fish", "--no-config", "-i"), ("lkm completion fish | source",)),
}


class Terminal:
    """The shell *name* with lkm's completion loaded."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self.name = name
        words, setup = SHELLS[name]
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execvpe(words[0], list(words), {**environment, "TERM": "dumb"})
        for line in setup:
            os.write(self._terminal, f"{line}\n".encode())
        self._asked = 0

    def pressing_tab(self, line: str, behind: str = "") -> str:
        """Return what *line* becomes when TAB is pressed at its end, before *behind*."""
        self._asked += 1
        # At the line's start (^A) and end (^E), so that the shell itself says what it is now. The
        # quotes within the words make them differ from what the terminal echoes.
        back = "\x02" * len(behind)
        # zsh takes a blank back that it has put behind a word, unless one goes on typing there.
        typed = f"{line}{behind}{back}\t+\x01echo 'GO''T{self._asked}['\"\x05\"']E''ND'\n"
        os.write(self._terminal, typed.encode())
        return self._read(rf"GOT{self._asked}\[(.*?)\]END").replace("+", "", 1)

    def close(self) -> None:
        """End the shell."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)

    def _read(self, wanted: str) -> str:
        seen = ""
        until = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < until:
            ready, _, _ = select.select([self._terminal], [], [], 1.0)
            seen += os.read(self._terminal, 65536).decode(errors="replace") if ready else ""
            found = re.search(wanted, seen, re.DOTALL)
            if found:
                return found[1]
        raise AssertionError(f"the shell did not answer: {seen[-2000:]!r}")
