"""The declared cases: TOML tables, each a command line in a world."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.oracle.world import HERE, Table, World, world_of


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What lkm does where it is declared to differ from kmod; all that is not given is as kmod's.

    *same_as* is another command line: what is not given is then as kmod does there. *out_like* and
    *err_like* are regular expressions for the whole of a stream. *files* are by
    their paths, as text, an index as lines ``KEY VALUE PRIORITY``; false: not there. Of the paths
    that one of *other_files* is found in nothing is told.
    """

    status: int | None = None
    out: str | None = None
    err: str | None = None
    out_like: str | None = None
    err_like: str | None = None
    same_as: str = ""
    calls: tuple[str, ...] | None = None
    files: Mapping[str, str | bool] = field(default_factory=dict)
    other_files: tuple[str, ...] = ()


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
    # Lists become tuples; that each is of its field's type is for the comparison to find out.
    given: dict[str, object] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in told.items()
    }
    same = given.pop("same_as", "")
    assert isinstance(same, str | tuple)
    others = itertools.repeat(same) if isinstance(same, str) else same
    for line, other in zip(lines, others, strict=False):
        yield Case(
            name=f"{stem}: {table['name']}: {line}",
            line=line,
            world=world,
            env=env,
            differs=str(table.get("differs", "")),
            expected=Expected(**given, same_as=other),  # type: ignore[arg-type]  # TOML's
        )
