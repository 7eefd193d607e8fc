"""depmod's document: what was wrong, which files lost, which modules need each other."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import lkm as package
from lkm.report import schemas
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE, a_root
from tests.cli.running import Ran, lkm
from tests.report.validating import validate
from tests.tree.trees import chained


def depmod(root: Path, *options: str) -> Ran:
    ran = lkm("depmod", "--json", *options, "-b", str(root), RELEASE)
    validate(ran.out)
    return ran


def test_a_problem_names_what_it_is_about(tmp_path: Path) -> None:
    root = a_root(tmp_path, {"kernel/bad.ko": b"nothing", "kernel/odd.ko": a_module(name="odd")})
    (root / f"lib/modules/{RELEASE}/modules.builtin").write_text("7x\n")

    ran = depmod(root)

    problems = json.loads(ran.out)["problems"]
    found = {each["kind"]: each for each in problems}
    bad = found["unreadable-module"]
    assert (bad["level"], bad["modules"]) == ("ERROR", ["bad"])
    assert bad["path"].endswith("/kernel/bad.ko")
    assert (found["bad-line"]["index"], found["bad-line"]["modules"]) == ("modules.builtin.bin", [])
    for each in problems:
        assert f"depmod: {each['level']}: {each['text']}" in ran.err


def test_a_need_that_nobody_meets_is_named_with_its_versions(tmp_path: Path) -> None:
    versions = {"printk": 1, "nowhere": 3, "module_layout": 4}
    user = a_module(name="user", imports=["printk", "nowhere"], versions=versions)
    root = a_root(tmp_path, {"kernel/user.ko": user})
    (tmp_path / "symvers").write_text(
        "0x00000004\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x000000ff\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"
    )

    problems = json.loads(depmod(root, "-e", "-E", str(tmp_path / "symvers")).out)["problems"]

    found = {each["kind"]: each for each in problems if each["symbol"] is not None}
    keys = ("symbol", "needed_crc", "offered_crc")
    assert {kind: tuple([each[key] for key in keys]) for kind, each in found.items()} == {
        "unknown-symbol": ("nowhere", None, None),
        "symbol-version": ("printk", "0x00000001", "0x000000ff"),
    }


@pytest.mark.parametrize(
    ("configuration", "chosen", "because", "rule"),
    [
        ("", "updates", "search", "updates"),
        ("search built-in updates\n", "kernel", "search", "built-in"),
        ("search updates\noverride x * kernel\n", "kernel", "override", "kernel/x"),
        ("search nowhere\n", None, "order", None),
    ],
)
def test_of_two_files_the_loser_is_named_and_why(
    tmp_path: Path, configuration: str, chosen: str | None, because: str, rule: str | None
) -> None:
    data = a_module(name="x")
    root = a_root(tmp_path / "root", {"kernel/x.ko": data, "updates/x.ko": data})
    (tmp_path / "x.conf").write_text(configuration)

    document = json.loads(depmod(root, "-C", str(tmp_path / "x.conf"), "-n").out)

    (duplicate,) = document["duplicates"]
    (indexed,) = document["files"][0]["text"].splitlines()
    assert (duplicate["module"], duplicate["because"], duplicate["rule"]) == ("x", because, rule)
    assert duplicate["chosen"].endswith("/" + indexed.removesuffix(":"))
    assert {Path(duplicate[key]).parent.name for key in ("chosen", "other")} == {
        "kernel",
        "updates",
    }
    assert chosen is None or f"/{chosen}/" in duplicate["chosen"]


def test_cycles_are_lists(tmp_path: Path) -> None:
    root = a_root(tmp_path, chained({"a": "b", "b": "a", "c": ""}))

    document = json.loads(depmod(root).out)

    assert [sorted(chain) for chain in document["cycles"]] == [["a", "b"]]
    kinds = {each["kind"] for each in document["problems"]}
    assert "cycle" in kinds


def test_what_a_needs_of_b_is_told_with_v(tmp_path: Path) -> None:
    root = a_root(tmp_path, chained({"a": "b", "b": ""}))

    (use,) = json.loads(depmod(root, "-v").out)["uses"]

    assert use["symbol"] == "use_b"
    assert (Path(use["user"]).name, Path(use["owner"]).name) == ("a.ko", "b.ko")
    assert json.loads(depmod(root).out)["uses"] is None


def test_nothing_to_do_is_told(tmp_path: Path) -> None:
    root = a_root(tmp_path)
    assert json.loads(depmod(root).out)["up_to_date"] is False

    assert json.loads(depmod(root, "-A").out)["up_to_date"] is True
    assert json.loads(depmod(root, "-A", "-n").out)["up_to_date"] is None


def test_every_kind_of_problem_is_in_the_schema() -> None:
    problem = json.loads(schemas.text("depmod"))["$defs"]["problem"]
    kinds = set(problem["properties"]["kind"]["enum"])
    folder = Path(package.__file__).parent / "tree"
    source = "".join(path.read_text() for path in folder.rglob("*.py"))

    assert set(re.findall(r'kind="([a-z-]+)"', source)) <= kinds
    assert all(f'"{kind}"' in source for kind in kinds)
    assert all(kind in problem["properties"]["kind"]["description"] for kind in kinds)
