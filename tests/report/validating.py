"""Check documents against their schemas."""

from __future__ import annotations

import json
from functools import cache

from jsonschema import Draft202012Validator

from lkm.report import schemas


def validate(text: str) -> dict[str, object]:
    """Return the document in *text*; fail where it is not as the schema that it names has it."""
    document = json.loads(text)
    assert isinstance(document, dict)
    problems = [
        f"{error.json_path}: {error.message[:300]}"
        for error in _validator(document["schema"]).iter_errors(document)
    ]
    assert not problems, f"{document['schema']}: {problems}"
    return document


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schemas.text(name)))
