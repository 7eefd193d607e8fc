"""The declared cases: TOML tables, each a command line in a world."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.oracle.world import HERE, Table, World, world_of


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What lkm does where it is declared to differ from kmod."""

    status: int | None = None
    out: str | None = None
    err: str | None = None
    calls: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One command line, run by both programs; *name* is ``FILE: NAME: LINE``.

    *differs* names the declared difference by which lkm's answer is *expected* instead of kmod's.
    """

    name: str
    line: str
    world: World
    env: Mapping[str, str]
    differs: str = ""
    expected: Expected = Expected()


def cases() -> tuple[Case, ...]:
    """Return all declared cases, in the order of the files' names."""
    return tuple(
        case
        for path in sorted((HERE / "cases").glob("*.toml"))
        for case in _of_file(path.stem, tomllib.loads(path.read_text()))
    )


def _of_file(stem: str, table: Mapping[str, object]) -> Iterator[Case]:
    declared = table["case"]
    assert isinstance(declared, list)
    defaults = {key: value for key, value in table.items() if key != "case"}
    for said in declared:
        yield from _cases(stem, {**defaults, **said})


def _cases(stem: str, table: Table) -> Iterator[Case]:
    world = world_of(table)
    lines = table.get("each", [table.get("run")])
    env = table.get("env", {})
    told = table.get("lkm", {})
    assert isinstance(lines, list)
    assert isinstance(env, dict)
    assert isinstance(told, dict)
    if "calls" in told:
        told = {**told, "calls": tuple(told["calls"])}
    for line in lines:
        yield Case(
            name=f"{stem}: {table['name']}: {line}",
            line=line,
            world=world,
            env=env,
            differs=str(table.get("differs", "")),
            expected=Expected(**told),
        )
