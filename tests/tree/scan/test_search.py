"""Which of two files of one module wins."""

from __future__ import annotations

import pytest

from lkm.tree.scan.search import Chooser, Override, SearchRules

TREE = "/r/lib/modules/6.1"


def winner(rules: SearchRules, *paths: str) -> str:
    """Return which of *paths* wins, found in this order."""
    chooser = Chooser(rules, TREE)
    best = paths[0]
    for path in paths[1:]:
        if chooser.prefers(*(p if p.startswith("/") else f"{TREE}/{p}" for p in (path, best))):
            best = path
    return best


KERNEL, ZZ = "kernel/x.ko", "zz/x.ko"


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (("zz", "built-in"), ZZ),
        (("built-in", "zz"), KERNEL),
        (("zz",), ZZ),
        (("zz", "kernel"), ZZ),
        (("kernel", "zz"), KERNEL),
        (("z",), KERNEL),
    ],
)
def test_the_folder_named_first_wins(search: tuple[str, ...], expected: str) -> None:
    assert winner(SearchRules(search), KERNEL, ZZ) == expected
    if search != ("z",):
        assert winner(SearchRules(search), ZZ, KERNEL) == expected


def test_without_rules_updates_wins_and_else_the_first_found() -> None:
    assert winner(SearchRules(), KERNEL, "updates/dkms/x.ko") == "updates/dkms/x.ko"
    assert winner(SearchRules(), KERNEL, ZZ) == KERNEL
    assert winner(SearchRules(), ZZ, KERNEL) == ZZ


def test_of_two_files_under_one_search_folder_the_one_found_later_wins() -> None:
    assert winner(SearchRules(), "updates/a/x.ko", "updates/b/x.ko") == "updates/b/x.ko"


def test_an_override_wins_over_any_search_and_its_dashes_count() -> None:
    rules = SearchRules(("updates",), (Override("snd-x", "kernel/old"),))

    old = "kernel/old/snd-x.ko.xz"
    assert winner(rules, "updates/snd-x.ko", old) == old
    assert winner(rules, old, "updates/snd-x.ko") == old
    assert winner(rules, "updates/snd_x.ko", "kernel/old/snd_x.ko") == "updates/snd_x.ko"


def test_external_folders_stand_where_the_word_stands() -> None:
    external = "/opt/mods/x.ko"

    def rules(*search: str) -> SearchRules:
        return SearchRules(search, externals=("/opt/mods",))

    assert winner(rules("external", "built-in"), KERNEL, external) == external
    assert winner(rules("built-in", "external"), KERNEL, external) == KERNEL
    assert winner(rules("updates"), KERNEL, external) == KERNEL


def test_of_two_external_folders_the_one_configured_first_wins() -> None:
    rules = SearchRules(("external",), externals=("/a", "/b"))

    assert winner(rules, "/b/x.ko", "/a/x.ko") == "/a/x.ko"
    assert winner(rules, "/a/x.ko", "/b/x.ko") == "/a/x.ko"
