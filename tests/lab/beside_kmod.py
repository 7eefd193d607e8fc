"""In a guest: do sequences of command lines by kmod and by lkm, and tell what came of each line.

``python3 -m tests.lab.beside_kmod FOLDER`` reads ``FOLDER/sequences.json``, has kmod's tools in
``FOLDER/kmod``, and prints a JSON line for each sequence. lkm is called in this process: Python
takes half a second to start here.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO

from lkm.cli.main import main as lkm_main
from lkm.errors import KernelError
from lkm.kernel.live import LiveKernel
from lkm.kernel.protocol import FORCE

Step = dict[str, object]
Call = Callable[[list[str]], int]


def main(folder: str) -> int:
    with open(f"{folder}/sequences.json", encoding="utf-8") as file:
        sequences = json.load(file)
    gc.disable()
    path = os.environ["PATH"]
    for sequence in sequences:
        seen: dict[str, list[Step]] = {}
        for program, call in (("kmod", by_kmod(f"{folder}/kmod")), ("lkm", by_lkm)):
            # For the commands that modprobe.d has instead of modules.
            os.environ["PATH"] = f"{folder}/kmod:{path}" if program == "kmod" else path
            seen[program] = [done(line[program], call) for line in sequence["lines"]]
            clear()
        told = {"sequence": sequence["name"], **seen}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    return 0


def by_kmod(folder: str) -> Call:
    def call(words: list[str]) -> int:
        program = f"{folder}/{words[0]}"
        return subprocess.run(words, executable=program, check=False).returncode

    return call


def by_lkm(words: list[str]) -> int:
    before = sys.stdout, sys.stderr
    with (
        open(1, "w", encoding="utf-8", closefd=False) as sys.stdout,
        open(2, "w", encoding="utf-8", closefd=False) as sys.stderr,
    ):
        status = lkm_main(words)
    sys.stdout, sys.stderr = before
    return status


def done(words: list[str], call: Call) -> Step:
    """Do one line; return its status, what it wrote, and what is loaded then."""
    if words[0] == "write":
        with open(words[1], "w", encoding="utf-8") as file:
            file.write(words[2])
        return {"status": 0, "out": "", "err": "", "modules": modules()}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            status = call(words)
        finally:
            for number, descriptor in enumerate(kept, 1):
                os.dup2(descriptor, number)
                os.close(descriptor)
        return {"status": status, "out": text(out), "err": text(err), "modules": modules()}


def text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="backslashreplace")


def modules() -> str:
    """Return ``/proc/modules`` without the addresses.

    The kernel gives the memory of a removed module back late, and so the address of the next one
    tells how long ago that was.
    """
    with open("/proc/modules", encoding="utf-8") as file:
        lines = [line.split(" ") for line in file]
    return "".join(" ".join([*words[:5], *words[6:]]).rstrip() + "\n" for words in lines)


def clear() -> None:
    kernel = LiveKernel()
    while left := kernel.modules():
        for module in left:
            try:
                kernel.remove(module.name, flags=FORCE)
            except KernelError:
                continue  # its users come first


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
