"""Build small modules directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lkm.tree.trie.nodes import OFFSET, Nodes, root_of
from tests.builders.elf import AnExport, a_module

RELEASE = "6.1.0-test"


def a_tree(
    root: Path,
    files: Mapping[str, bytes],
    *,
    order: Sequence[str] | bytes | None = (),
    builtin: Sequence[str] | bytes | None = (),
    builtin_modinfo: Sequence[str] | bytes | None = (),
) -> Path:
    """Write ROOT/lib/modules/RELEASE with *files* and what the kernel's build leaves; None: not."""
    directory = root / "lib/modules" / RELEASE
    directory.mkdir(parents=True)
    for path, data in files.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)
    for name, content, end in (
        ("modules.order", order, "\n"),
        ("modules.builtin", builtin, "\n"),
        ("modules.builtin.modinfo", builtin_modinfo, "\0"),
    ):
        if content is not None:
            data = (
                content
                if isinstance(content, bytes)
                else "".join(line + end for line in content).encode()
            )
            (directory / name).write_bytes(data)
    return directory


def chained(needs: Mapping[str, Sequence[str]]) -> dict[str, bytes]:
    """Return a module file for each name, which needs a symbol of each of those it maps to."""
    return {
        f"kernel/{name}.ko": a_module(
            name=name,
            exports=[AnExport(name=f"use_{name}")],
            imports=[f"use_{other}" for other in others],
        )
        for name, others in needs.items()
    }


def node_places(data: bytes) -> list[int]:
    """Return where the nodes of the binary index *data* begin."""
    nodes, found = Nodes(data), []
    todo = [root_of(data, len(data))]
    for reference in todo:
        found.append(reference & OFFSET)
        todo += [child for _, child in nodes.children(nodes.node(reference))]
    return sorted(found)
