"""Many words resolved at once, as by kmod: with made-up indexes, with a whole kernel's."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from lkm._text import decode, encode
from lkm.config.settings import Settings
from lkm.resolve.lookup import lookup_each
from lkm.tree.catalog import Catalog
from lkm.tree.trie.writer import build_index
from tests.oracle.whole_words import made_up_words, modaliases, write_configurations
from tests.resolve.trees import RELEASE

pytestmark = pytest.mark.oracle

END = "end-of-answer"
# What patterns are made of; "[", "]" and "-" stand in whole brackets only, since glibc reads a
# bracket that is cut off in several ways.
PIECES = ["*", "*", "*", "?", "[a-c]", "[!b]", "[^a:]", "[[:digit:]x]", "a", "b", "ab", ":", "5"]


def kmods_answers(
    kmod: Path, root: Path, release: str, words: Sequence[str], config: Path
) -> list[list[str]]:
    """Return the modules that kmod's modprobe names for each of *words*."""
    (config / "end.conf").write_text(f"install {END} {END}\n")
    command = [str(kmod.parent / "modprobe"), "-d", str(root), "-S", release]
    command += ["-C", str(config), "-aqR", "--"]
    found: list[list[str]] = []
    for start in range(0, len(words), 500):
        marked = [each for word in words[start : start + 500] for each in (word, END)]
        done = subprocess.run(
            list(map(encode, [*command, *marked])), stdout=subprocess.PIPE, check=False
        )
        answers = decode(done.stdout).split(END.replace("-", "_") + "\n")
        found += [answer.splitlines() for answer in answers[:-1]]
    return found


def ours(directory: Path, words: Sequence[str], config: Path) -> list[list[str]]:
    catalog = Catalog.open(str(directory))
    settings = Settings.read(config_paths=[str(config)], tree_texts=catalog.config_texts())
    answers = lookup_each(words, catalog, settings)
    assert catalog.source == "indexes"
    return [[one.name for one in found] for found in answers]


def some_entries(source: random.Random, modules: str) -> list[tuple[str, str, int]]:
    entries = []
    for _ in range(source.randrange(1, 300)):
        rank = source.randrange(9)
        key = "".join(source.choice(PIECES) for _ in range(source.randrange(8)))
        entries.append((source.choice(["", "a:", "b"]) + key, f"{modules}{rank}", rank))
    return entries


@pytest.mark.parametrize("seed", range(12))
def test_made_up_patterns_lead_to_the_same_modules_in_the_same_order(
    seed: int, kmod: Path, tmp_path: Path
) -> None:
    source = random.Random(seed)
    directory = tmp_path / "lib/modules" / RELEASE
    directory.mkdir(parents=True)
    aliases = some_entries(source, "m")
    for name, entries in {
        "dep": [("ab", "kernel/ab.ko:", 0)],
        "alias": aliases,
        "symbols": [],
        "builtin": [("b", "", 0)],
        "builtin.alias": some_entries(source, "built"),
    }.items():
        (directory / f"modules.{name}.bin").write_bytes(build_index(entries))
    words = [
        "".join(source.choice("aab:5-") for _ in range(source.randrange(9))) for _ in "w" * 300
    ]
    words += [key.replace("*", source.choice(["", "a", "b:"])) for key, _, _ in aliases]
    words += ["a[-]b", "é", "a:\udcff", "a[b", "a]b", "ab" * 900, *words[:9]]
    words = [word for word in words if word]

    theirs = kmods_answers(kmod, tmp_path, RELEASE, words, tmp_path)
    assert any(len(found) > 1 for found in theirs)
    assert ours(directory, words, tmp_path) == theirs


@pytest.mark.debian
def test_a_whole_kernels_modaliases_lead_to_the_same_modules(
    indexed_root: Path, debian_release: str, kmod: Path, tmp_path: Path
) -> None:
    directory = indexed_root / "lib/modules" / debian_release
    catalog = Catalog.open(str(directory))
    words = modaliases(catalog, 2000) + made_up_words()
    config = write_configurations(tmp_path, catalog)["made up"]

    assert ours(directory, words, config) == kmods_answers(
        kmod, indexed_root, debian_release, words, config
    )
