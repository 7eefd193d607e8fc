"""What could not be told at an insert that went through is told, and kept with the module."""

from __future__ import annotations

from pathlib import Path

from lkm.kernel.sandbox import Sandbox
from lkm.names import ModuleName
from tests.kernel.images import a_known_sandbox
from tests.kernel.trees import LAYOUT_CRC, a_sandbox, a_signed, an_image


def a_doubtful_sandbox(folder: Path) -> tuple[Sandbox, list[str]]:
    """Return a sandbox without an image, so that nobody knows whom it trusts; what it says."""
    sandbox, _root = a_sandbox(folder)
    said: list[str] = []
    return Sandbox(sandbox.path, notice=said.append), said


def test_a_doubt_is_said_once_and_kept_while_the_module_is_loaded(tmp_path: Path) -> None:
    sandbox, said = a_doubtful_sandbox(tmp_path)
    for name in ("one", "two"):
        sandbox.insert(an_image(a_signed(name), name))

    doubts = [each for each in sandbox.status().doubts if each.check == "signature"]

    assert [(each.module, each.check) for each in doubts] == [
        ("one", "signature"),
        ("two", "signature"),
    ]
    assert [each for each in said if "signature" in each] == [
        f"could not tell (signature): {doubts[0].evidence}"
    ]
    sandbox.remove(ModuleName("one"))
    assert {each.module for each in sandbox.status().doubts} == {"two"}


def test_of_a_signature_without_a_doubt_nothing_is_said(tmp_path: Path) -> None:
    sandbox, said = a_doubtful_sandbox(tmp_path)

    sandbox.insert(an_image(a_signed("one")[:-1], "one"))  # a signature cut off is none

    assert not [each for each in said if "signature" in each]
    assert "signature" not in {each.check for each in sandbox.status().doubts}


def test_what_only_an_image_tells_is_in_doubt_without_one(tmp_path: Path) -> None:
    sandbox, _said = a_doubtful_sandbox(tmp_path)

    sandbox.insert(an_image(a_signed("one"), "one"))

    checks = [each.check for each in sandbox.status().doubts]
    assert "struct-size" in checks
    assert len(checks) == len(set(checks)), "one finding a check"


def test_with_an_image_nothing_is_in_doubt(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path)

    sandbox.insert(
        an_image(a_signed("one", imports=(), versions={"module_layout": LAYOUT_CRC}), "one")
    )

    assert sandbox.status().doubts == ()
