"""modprobe over a whole kernel: every module, every built-in, thousands of modaliases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lkm.tree.catalog import Catalog
from tests.cli.running import Ran
from tests.oracle.whole_kernels import Pair, Result, chunks, compared, our
from tests.oracle.whole_words import END, made_up_words, modaliases

_IN_ONE_CALL = 1000


class Run(Protocol):
    """kmod's tools or ours, called by a tool's name and its words."""

    def __call__(self, tool: str, *words: str) -> Ran: ...


@dataclass(frozen=True)
class Answers:
    """What ``modprobe -a`` printed for each word; and what it *said*, its statuses among it."""

    each: tuple[str, ...]
    said: tuple[str, ...]


def answers(run: Run, options: Sequence[str], option: str, words: Sequence[str]) -> Answers:
    """Ask *run*, kmod or us, about all *words* in few calls, a marker after each answer."""
    end = f"install {END} \n" if option == "-D" else f"{END}\n"
    each: list[str] = []
    said: list[str] = []
    for chunk in chunks(words, _IN_ONE_CALL):
        marked = [part for word in chunk for part in (word, END)]
        ran = run("modprobe", *options, "-a", option, "--", *marked)
        each += ran.out.split(end)[:-1]
        said += [*ran.err.splitlines(), f"status {ran.status}"]
    return Answers(tuple(each), tuple(said))


def compare_modprobe(
    pair: Pair, configs: dict[str, Path], words: int, every: int
) -> Iterator[Result]:
    """Compare -D of all modules and -R of about *words* modaliases, under each configuration.

    Every *every*-th of them is also asked about on its own, without -a.
    """
    catalog = Catalog.open(str(pair.theirs / "lib/modules" / pair.release))
    assert catalog.source == "indexes"
    names = [entry.name for entry in catalog.entries()]
    builtins = [each.name for each in catalog.builtins()]
    aliases = modaliases(catalog, words) + made_up_words()
    for name, config in configs.items():
        yield from _compare(pair, f"-D, every module ({name} configuration)", config, "-D", names)
        yield from _compare(pair, f"-D, built-ins ({name} configuration)", config, "-D", builtins)
        yield from _compare(pair, f"-D, modaliases ({name} configuration)", config, "-D", aliases)
        yield from _compare(pair, f"-R, modaliases ({name} configuration)", config, "-R", aliases)
        shown = [run("modprobe", *pair.options(config), "-c").out for run in (pair.kmod, our)]
        lines = [text.split("\n") for text in shown]
        yield compared(f"modprobe -c, lines ({name} configuration)", lines[0], *lines)
    config = configs["made up"]
    asked = [
        (*pair.options(config), *options, word)
        for options in (["-D"], ["-R"], ["-D", "-i"], ["-D", "-b"])
        for word in [*names, *aliases][::every]
    ]
    asked += [
        (option, path)
        for option in ("--show-modversions", "--show-exports")
        for path in pair.files()[::every]
    ]
    yield compared(
        "modprobe, one word a call, with messages and status",
        map(" ".join, asked),
        [pair.kmod("modprobe", *each) for each in asked],
        [our("modprobe", *each) for each in asked],
    )


def _compare(
    pair: Pair, name: str, config: Path, option: str, words: Sequence[str]
) -> Iterator[Result]:
    theirs = answers(pair.kmod, pair.options(config), option, words)
    ours = answers(our, pair.options(config), option, words)
    yield compared(f"modprobe {name}", words, theirs.each, ours.each)
    yield compared(f"modprobe {name}, messages", theirs.said, theirs.said, ours.said)
