"""The schemas: one for each document that the source makes, whole, closed and explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import lkm
from lkm.errors import UsageError
from lkm.report import schemas

SOURCE = Path(lkm.__file__).parent


def read(name: str) -> dict[str, object]:
    found = json.loads(schemas.text(name))
    assert isinstance(found, dict)
    return found


def objects(node: object, at: str = "") -> Iterator[tuple[str, dict[str, object]]]:
    """Yield each part of a schema that is an object, and the way to it."""
    if isinstance(node, dict):
        yield at, node
        for key, value in node.items():
            yield from objects(value, f"{at}/{key}")
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from objects(value, f"{at}/{place}")


def test_each_document_of_the_source_has_a_schema_and_each_schema_a_document() -> None:
    made = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'"schema": "(lkm\.[^"]+)"', path.read_text())
    }

    assert made == set(schemas.names())


@pytest.mark.parametrize("name", schemas.names())
def test_a_schema_is_sound_and_named_as_its_file(name: str) -> None:
    schema = read(name)

    Draft202012Validator.check_schema(schema)
    thing, version = name.removeprefix("lkm.").split("/")
    assert schemas.path(name) == str(SOURCE / f"report/schemas/{thing}.{version}.json")
    assert schema["$id"] == f"urn:lkm:{thing}/{version}"
    assert schema["title"]
    assert schema["description"]
    properties = schema["properties"]
    assert isinstance(properties, dict)
    assert properties["schema"]["const"] == name
    assert "messages" in properties


@pytest.mark.parametrize("name", schemas.names())
def test_every_key_is_explained_and_no_other_allowed(name: str) -> None:
    for at, part in objects(read(name)):
        properties = part.get("properties")
        if not isinstance(properties, dict) or at.endswith("/properties"):
            continue
        assert part["additionalProperties"] is False, at
        for key, value in properties.items():
            assert "description" in value or "$ref" in value, f"{at}/{key}"


@pytest.mark.parametrize("name", schemas.names())
def test_every_definition_is_used_and_every_reference_leads_to_one(name: str) -> None:
    schema = read(name)
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    references = {part["$ref"] for _, part in objects(schema) if "$ref" in part}

    assert references == {f"#/$defs/{each}" for each in definitions}
    assert all("description" in each for each in definitions.values())


def test_what_several_schemas_define_is_the_same_in_each() -> None:
    seen: dict[str, object] = {}
    for name in schemas.names():
        definitions = read(name)["$defs"]
        assert isinstance(definitions, dict)
        for key, value in definitions.items():
            assert seen.setdefault(key, value) == value, (name, key)


def test_a_schema_is_found_by_each_form_of_its_name() -> None:
    paths = {schemas.path(name) for name in ("lkm.lsmod/1", "lsmod/1", "lsmod", "lkm.lsmod")}

    assert paths == {str(SOURCE / "report/schemas/lsmod.1.json")}


@pytest.mark.parametrize("name", ["", "nosuch", "lsmod/2", "lsmod.1", "../schemas/lsmod"])
def test_a_name_of_none_is_wrong_usage(name: str) -> None:
    with pytest.raises(UsageError):
        schemas.path(name)
