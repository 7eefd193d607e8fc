from __future__ import annotations

from pathlib import Path

import pytest

from lkm.resolve.lookup import Found, lookup, lookup_each, lookup_name
from lkm.tree.catalog import Catalog
from tests.resolve.trees import a_catalog, settings


@pytest.fixture(name="catalog", scope="module")
def _catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return a_catalog(tmp_path_factory.mktemp("tree"))


def found(word: str, catalog: Catalog, text: str = "") -> list[tuple[str, str, str]]:
    return [(one.name, one.alias, one.via) for one in lookup(word, catalog, settings(text))]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("a", [("a", "", "name")]),
        ("snd-pcm", [("snd_pcm", "", "name")]),
        ("symbol:sym_b", [("b", "symbol:sym_b", "symbol")]),
        ("sound:xyz", [("snd_core", "sound:xyz", "modules.alias")]),
        ("al-a-9", [("p", "al_a_9", "modules.alias")]),
        ("bi-one", [("bi_one", "", "builtin")]),
        ("bi:zq", [("bi_one", "bi:zq", "builtin alias")]),
        ("both", [("both", "", "name")]),
        ("a.ko", []),
        ("nosuch", []),
        ("symbol:nosuch", []),
        ("a[b", []),
        ("a]b", []),
        ("", []),
    ],
)
def test_a_word_stands_for_modules(
    word: str, expected: list[tuple[str, str, str]], catalog: Catalog
) -> None:
    assert found(word, catalog)[: max(len(expected), 1)] == expected


def test_an_alias_may_stand_for_several_modules_in_the_order_of_modules_dep(
    catalog: Catalog,
) -> None:
    assert [name for name, _, _ in found("sound:xyz", catalog)] == ["snd_core", "p", "q"]


def test_alias_lines_come_first_even_before_a_modules_own_name(catalog: Catalog) -> None:
    text = "alias a other\nalias [a] second\n"

    assert found("a", catalog, text) == [
        ("other", "a", "alias directive"),
        ("second", "[a]", "alias directive"),
    ]


def test_alias_lines_do_not_lead_to_further_alias_lines(catalog: Catalog) -> None:
    assert found("x", catalog, "alias x y\nalias y z\n") == [("y", "x", "alias directive")]


def test_commands_come_before_the_index_of_aliases_and_install_before_remove(
    catalog: Catalog,
) -> None:
    text = "remove sound:xyz r\ninstall sound:* i\ninstall sound:xyz i\n"

    assert found("sound:xyz", catalog, text) == [("sound:xyz", "", "install")]
    assert found("sound:xyz", catalog, text.splitlines()[0]) == [("sound:xyz", "", "remove")]


def test_commands_are_found_by_their_exact_name_only(catalog: Catalog) -> None:
    assert found("gone", catalog, "install g* true\n") == []


def test_the_index_of_symbols_is_asked_for_symbols_only(catalog: Catalog) -> None:
    assert found("sym_b", catalog) == []


def test_what_a_configuration_line_led_to_names_the_line(catalog: Catalog) -> None:
    (one,) = lookup("x", catalog, settings("\nalias x y\n"))

    assert str(one.source) == "a.conf:2"


def test_a_name_is_looked_up_without_aliases(catalog: Catalog) -> None:
    assert lookup_name("snd-pcm.ko", catalog) == (
        Found(lookup_name("snd_pcm", catalog)[0].name, "", "name"),
    )
    assert [one.name for one in lookup_name("bi-one", catalog)] == ["bi_one"]
    assert lookup_name("sound:xyz", catalog) == ()


def test_a_tree_directory_is_no_part_of_the_answer(tmp_path: Path) -> None:
    assert found("a", a_catalog(tmp_path)) == [("a", "", "name")]


def test_many_words_are_answered_as_each_on_its_own(catalog: Catalog) -> None:
    text = "alias a other\nalias al:* second\ninstall gone:x i\nremove gone:* r\noptions p x=1\n"
    words = [
        "a",
        "snd-pcm",
        "symbol:sym_b",
        "symbol:nosuch",
        "sound:xyz",
        "al-a-9",
        "al:z",
        "al-a-9",
    ]
    words += ["bi-one", "bi:zq", "bi:zz", "both", "a.ko", "nosuch", "a[b", "a]b", "", "gone:x"]
    words += ["gone:*", "fs-core", "sound:x[-]y", "é", "\udcff:"]

    answers = lookup_each(words, catalog, settings(text))

    assert answers == [lookup(word, catalog, settings(text)) for word in words]
    assert {one.via for found in answers for one in found} == {
        "alias directive",
        "name",
        "symbol",
        "install",
        "remove",
        "modules.alias",
        "builtin",
        "builtin alias",
    }
    assert lookup_each([], catalog, settings()) == []
    assert lookup_each(iter(["a"]), catalog, settings()) == [lookup("a", catalog, settings())]
