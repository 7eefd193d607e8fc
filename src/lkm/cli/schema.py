"""Print the schema of a JSON document, or list the schemas.

SCHEMA is what a document has as its "schema", such as lkm.lsmod/1; lsmod/1 and lsmod do as well,
the last for the newest version. Exit status: 0, or 2 for an unknown one.
"""

from __future__ import annotations

import argparse
import json

from lkm.cli.console import Console
from lkm.report import schemas


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("name", nargs="?", metavar="SCHEMA", help="the schema; without it: a list")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead")


def run(args: argparse.Namespace, console: Console) -> int:
    """Print one schema, or a line for each."""
    if args.name is not None:
        _print(args.name, args, console)
        return 0
    titles = {name: json.loads(schemas.text(name))["title"] for name in schemas.names()}
    if args.json:
        from lkm.report.documents.schemas import schemas_document

        console.document = schemas_document(
            [(name, title, schemas.path(name)) for name, title in titles.items()]
        )
        return 0
    width = max(map(len, titles))
    for name, title in titles.items():
        console.out.write(f"{name:{width}}  {title}\n")
    return 0


def _print(name: str, args: argparse.Namespace, console: Console) -> None:
    text = schemas.text(name)
    if args.json:
        from lkm.report.documents.schemas import schema_document

        definition = json.loads(text)
        name = definition["properties"]["schema"]["const"]
        console.document = schema_document(name, schemas.path(name), definition)
    else:
        console.out.write(text)
