"""A made-up QEMU, which says on a guest's ports what a test has it say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

_PROGRAM = """\
#!{python} -IS
import socket, sys, time

words = sys.argv[1:]
if "-bios" in words:
    sys.exit(77)  # it is asked whether the host's own processor may be used
with open(words[words.index("-initrd") + 1], "rb") as archive, open({kept!r}, "wb") as copy:
    copy.write(archive.read())
open({asked!r}, "a").write("\\0".join(words) + "\\n")
ports = {{}}
for word in words:
    if word.startswith("socket,id="):
        _, name, descriptor = word.split(",")
        number = int(descriptor.partition("=")[2])
        ports[name.partition("=")[2]] = socket.socket(fileno=number)
for port, data in {said!r}:
    if port == "stderr":
        sys.stderr.buffer.write(data)
    elif port == "sleep":
        time.sleep(float(data))
    elif port == "asked":
        assert ports["channel"].recv(100) == data
    else:
        ports[port].sendall(data)
sys.stderr.flush()
time.sleep({stays})
"""


def a_made_up_qemu(
    folder: Path,
    said: Sequence[tuple[str, bytes]] = (),
    *,
    stays_s: float = 0,
    name: str = "qemu-system-x86_64",
) -> Path:
    """Write the program into *folder*; return the file that it writes its words to.

    *said* are ports (console, channel, terminal, stderr) and what comes from each; "asked" waits
    until the host has sent that over the channel, "sleep" so many seconds. Then it stays *stays_s*
    seconds, and ends. The guest's archives lie in ``initramfs`` beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked = folder / "asked"
    program = folder / name
    program.write_text(
        _PROGRAM.format(
            python=sys.executable,
            asked=str(asked),
            kept=str(folder / "initramfs"),
            said=list(said),
            stays=stays_s,
        )
    )
    program.chmod(0o755)
    return asked
