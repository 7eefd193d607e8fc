"""The part of ``docs/json.md`` that is made from the schemas.

``python -m tests.project.json_reference`` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from lkm.report import schemas

DOCUMENT = Path(__file__).parents[2] / "docs/json.md"
START = "## The documents\n\n"


def reference() -> str:
    """Return a section for each schema: what it is for, and its keys."""
    return "\n".join(_section(name) for name in schemas.names())


def _section(name: str) -> str:
    schema = json.loads(schemas.text(name))
    lines = [f"### `{name}`", "", f"{schema['title']}. {schema['description']}", ""]
    for key, value in schema["properties"].items():
        if key not in ("schema", "messages"):
            lines.append(f"* `{key}`: {value['description']}")
            lines += _inner(value)
    return "\n".join(lines) + "\n"


def _inner(value: dict[str, object]) -> list[str]:
    """Return a line for the keys of the objects in a list, where they are all of one kind."""
    items = value.get("items")
    if not isinstance(items, dict) or "properties" not in items:
        return []
    return [f"  Each has {', '.join(f'`{key}`' for key in items['properties'])}."]


def main() -> None:
    """Write the part anew."""
    before = DOCUMENT.read_text().partition(START)[0]
    DOCUMENT.write_text(before + START + reference())


if __name__ == "__main__":
    main()
