"""docs/json.md tells of every schema, and its examples work."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lkm.cli.main import DROP_INS, VERBS
from lkm.lab.architectures import X86_64
from lkm.teaching import RELEASE, teaching_root
from tests.builders.apt import a_made_up_apt
from tests.cli.running import lkm
from tests.conftest import missing
from tests.lab.labs import a_kernel
from tests.project.json_reference import DOCUMENT, START, reference
from tests.report.validating import validate

TEXT = DOCUMENT.read_text()
EXAMPLES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
    if not line.startswith("#")
]
# What is asked of the kernel that runs on this machine is asked of the teaching kernel here.
ON_A_KERNEL = {*DROP_INS, "find", "kconfig", "kallsyms"}


def test_the_documents_are_told_as_the_schemas_have_them() -> None:
    told = TEXT.partition(START)[2]

    assert told == reference(), "python -m tests.project.json_reference writes it anew"


def test_each_command_has_an_example() -> None:
    shown = {shlex.split(line)[1] for line in EXAMPLES}

    assert shown == {*DROP_INS, *VERBS}


@pytest.mark.oracle
def test_every_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))
    tree = f"{teaching_root()}/lib/modules/{RELEASE}"
    assert lkm("sandbox", "reset").status == 0
    assert lkm("--on", "sandbox", "modprobe", "acme_video").status in (0, 1)
    for line in EXAMPLES:
        words = shlex.split(line.replace("{tree}", tree).replace("{folder}", str(tmp_path)))
        if words[1] != "lab":
            example_works(words, ("--on", "sandbox") if words[1] in ON_A_KERNEL else ())


@pytest.mark.oracle
def test_the_example_of_a_kernel_that_is_fetched_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = a_made_up_apt(tmp_path / "apt")
    made.add_kernel("6.1.0-9-amd64", lists="coming")
    made.add("busybox-static", {"bin/busybox": b"\x7fELF"}, lists="coming")
    monkeypatch.setenv("PATH", f"{made.folder}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("LKM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LKM_CACHE", "off")
    (line,) = [line for line in EXAMPLES if line.startswith("lkm lab get")]

    example_works(shlex.split(line))


@pytest.mark.debian
@pytest.mark.lab
def test_the_examples_of_guests_work() -> None:
    kernel = a_kernel("6.1")
    if shutil.which(X86_64.qemu) is None:
        missing("lab", f"{X86_64.qemu} is not installed")
    lines = [line for line in EXAMPLES if line.startswith("lkm lab --")]
    assert lines
    for line in lines:
        words = shlex.split(line.replace("{release}", kernel.release))
        example_works([*words[:2], "--root", str(kernel.root), *words[2:]])


def example_works(words: Sequence[str], before: Sequence[str] = ()) -> None:
    jq = shutil.which("jq")
    if jq is None:
        missing("oracle", "jq is not installed")
    at = words.index("|")
    command, (program, *filters) = words[1:at], words[at + 1 :]

    ran = lkm(*before, *command)

    assert validate(ran.out)["schema"] != "lkm.error/1", (words, ran.err)
    done = subprocess.run(
        [str(jq), *filters], input=ran.out, capture_output=True, text=True, check=False
    )
    assert (program, done.returncode, done.stderr) == ("jq", 0, ""), words
    assert done.stdout.strip() not in ("", "null"), words
