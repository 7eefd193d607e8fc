"""``modprobe -R --json``: by what each word led to each module."""

from __future__ import annotations

import json

import pytest

from lkm.report.documents.lookups import lookup_document
from lkm.resolve.lookup import lookup
from lkm.tree.catalog import Catalog
from tests.report.validating import validate
from tests.resolve.trees import a_catalog, settings


@pytest.fixture(name="catalog", scope="module")
def _catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return a_catalog(tmp_path_factory.mktemp("tree"))


def document(word: str, catalog: Catalog, text: str = "") -> dict[str, object]:
    answers = {word: lookup(word, catalog, settings(text, catalog))}
    made = lookup_document(answers, {}, catalog)
    return validate(json.dumps({**made, "messages": []}))


def found(word: str, catalog: Catalog, text: str = "") -> list[tuple[str, str, list[str]]]:
    (only,) = json.loads(json.dumps(document(word, catalog, text)))["words"]
    assert only["word"] == word
    return [(each["name"], each["found_by"], each["patterns"]) for each in only["modules"]]


def test_the_patterns_of_the_index_are_told(catalog: Catalog) -> None:
    assert found("sound:xyz", catalog) == [
        ("snd_core", "modules.alias", ["sound:x*"]),
        ("p", "modules.alias", ["sound:xy*"]),
        ("q", "modules.alias", ["sound:xy*"]),
    ]
    assert found("al-a-2", catalog) == [("p", "modules.alias", ["al_[a-b]_?"])]


def test_each_way_to_a_module_is_named(catalog: Catalog) -> None:
    assert found("c", catalog) == [("c", "name", [])]
    assert found("symbol:sym_b", catalog) == [("b", "symbol", ["symbol:sym_b"])]
    assert found("bi:zz", catalog) == [
        ("both", "builtin alias", ["bi:zz"]),
        ("bi_one", "builtin alias", ["bi:z*"]),
    ]
    assert found("bi-one", catalog) == [("bi_one", "builtin", [])]
    assert found("foo", catalog, "install foo x\n") == [("foo", "install", [])]
    assert found("foo", catalog, "remove foo x\n") == [("foo", "remove", [])]
    assert found("nosuch", catalog) == []


def test_a_configuration_line_is_named_with_file_and_line(catalog: Catalog) -> None:
    text = "\nalias fo? c\nalias f* b\n"
    (word,) = json.loads(json.dumps(document("foo", catalog, text)))["words"]

    assert [(each["patterns"], each["source"]) for each in word["modules"]] == [
        (["fo?"], {"path": "a.conf", "line": 2}),
        (["f*"], {"path": "a.conf", "line": 3}),
    ]
