"""docs/json.md tells of every schema, and its examples work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.cli.main import DROP_INS, VERBS
from lkm.teaching import RELEASE, teaching_root
from tests.cli.running import lkm
from tests.conftest import missing
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
    jq = shutil.which("jq")
    if jq is None:
        missing("oracle", "jq is not installed")
    tree = f"{teaching_root()}/lib/modules/{RELEASE}"
    assert lkm("sandbox", "reset").status == 0
    assert lkm("--on", "sandbox", "modprobe", "acme_video").status in (0, 1)
    for line in EXAMPLES:
        words = shlex.split(line.replace("{tree}", tree).replace("{folder}", str(tmp_path)))
        at = words.index("|")
        command, (program, *filters) = words[1:at], words[at + 1 :]
        before = ("--on", "sandbox") if command[0] in ON_A_KERNEL else ()

        ran = lkm(*before, *command)

        assert validate(ran.out)["schema"] != "lkm.error/1", (line, ran.err)
        done = subprocess.run(
            [str(jq), *filters], input=ran.out, capture_output=True, text=True, check=False
        )
        assert (program, done.returncode, done.stderr) == ("jq", 0, ""), line
        assert done.stdout.strip() not in ("", "null"), line
