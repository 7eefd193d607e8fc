from __future__ import annotations

from pathlib import Path

import pytest

from lkm.config.depmod_d import (
    DepmodSettings,
    Exclude,
    External,
    Ignored,
    Override,
    Search,
    parse,
    search_rules,
)
from lkm.config.directives import Complaint, Source
from lkm.tree.scan.search import Override as Rule
from lkm.tree.scan.search import SearchRules

AT = Source("x.conf", 1)
EVERY_KIND = """# one of each
search zz built-in \\
  updates
override snd-pcm * extra
external 6\\\\.1 /ext
exclude tmp .git
include x
bogus
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("search zz\tbuilt-in", Search(("zz", "built-in"), AT)),
        ("search", Search((), AT)),
        ("override a-b * sub more", Override("a-b", "*", "sub", AT)),
        ("external 6.1 /ext", External("6.1", "/ext", AT)),
        ("exclude a b", Exclude(("a", "b"), AT)),
        ("include x", Ignored("include", AT)),
        ("make_map_files yes", Ignored("make_map_files", AT)),
    ],
)
def test_a_line_becomes_a_directive(line: str, expected: object) -> None:
    assert parse(line, "x.conf") == (expected,)


@pytest.mark.parametrize(
    "line", ["override", "override a", "override a *", "external *", "bogus x", "  # indented"]
)
def test_a_bad_line_is_a_complaint_in_the_words_of_depmod(line: str) -> None:
    (found,) = parse(f"# first\n{line}", "x.conf")

    assert isinstance(found, Complaint)
    word = line.split(maxsplit=1)[0]
    assert found.kmod_text == f"depmod: ERROR: x.conf:2: ignoring bad line starting with '{word}'"
    assert found.problem


def test_rules_are_those_whose_version_matches_the_release() -> None:
    found = DepmodSettings(
        (
            Search(("zz",), AT),
            Override("a", "^5", "five", AT),
            Override("a", "^6", "six", AT),
            Override("a", "*", "any", AT),
            Search(("built-in",), AT),
            External("(", "/broken", AT),
            External("6", "/ext", AT),
            Exclude(("e",), AT),
        ),
        (),
    ).rules("6.1.0")

    assert found == SearchRules(
        ("zz", "built-in"), (Rule("a", "six"), Rule("a", "any")), ("/ext",), ("e",)
    )


def test_without_any_search_updates_is_searched() -> None:
    assert search_rules((), "6.1").search == ("updates",)


def test_files_are_read_by_the_rules_of_the_directories(tmp_path: Path) -> None:
    for place, text in (("etc", "search a"), ("lib", "search b"), ("run", "bogus")):
        folder = tmp_path / place / "depmod.d"
        folder.mkdir(parents=True)
        (folder / ("same.conf" if place != "run" else "other.conf")).write_text(text)

    found = DepmodSettings.read(str(tmp_path))

    assert found.rules("6.1").search == ("a",)
    assert [complaint.source.path for complaint in found.complaints] == [
        f"{tmp_path}/run/depmod.d/other.conf"
    ]
    assert DepmodSettings.read("/", [f"{tmp_path}/lib/depmod.d"]).rules("6").search == ("b",)


def test_a_text_cut_anywhere_still_parses() -> None:
    whole = parse(EVERY_KIND, "x.conf")

    for size in range(len(EVERY_KIND)):
        found = parse(EVERY_KIND[:size], "x.conf")

        assert found[:-1] == whole[: max(len(found) - 1, 0)]
