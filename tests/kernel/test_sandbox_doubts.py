"""What could not be told at an insert that went through is told, and kept with the module."""

from __future__ import annotations

from pathlib import Path

from lkm.kernel.sandbox import Sandbox
from lkm.names import ModuleName
from tests.kernel.trees import a_sandbox, a_signed, an_image


def a_doubtful_sandbox(folder: Path) -> tuple[Sandbox, list[str]]:
    """Return a sandbox without an image, so that nobody knows whom it trusts; what it says."""
    sandbox, _root = a_sandbox(folder)
    said: list[str] = []
    return Sandbox(sandbox.path, notice=said.append), said


def test_a_doubt_is_said_once_and_kept_while_the_module_is_loaded(tmp_path: Path) -> None:
    sandbox, said = a_doubtful_sandbox(tmp_path)
    for name in ("one", "two"):
        sandbox.insert(an_image(a_signed(name), name))

    doubts = sandbox.status().doubts

    assert [(each.module, each.check) for each in doubts] == [
        ("one", "signature"),
        ("two", "signature"),
    ]
    assert said == [f"could not tell (signature): {doubts[0].evidence}"]
    sandbox.remove(ModuleName("one"))
    assert [each.module for each in sandbox.status().doubts] == ["two"]


def test_without_a_doubt_nothing_is_said(tmp_path: Path) -> None:
    sandbox, said = a_doubtful_sandbox(tmp_path)

    sandbox.insert(an_image(a_signed("one")[:-1], "one"))  # a signature cut off is none

    assert (said, sandbox.status().doubts) == ([], ())
