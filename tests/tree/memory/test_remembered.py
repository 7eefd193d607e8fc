"""What is remembered of a tree: the same index files come of it as without."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from lkm.cache import Cache
from lkm.module.scan import scan_file
from lkm.module.scanned import ScannedModule
from lkm.tree.depmod import making
from lkm.tree.depmod.amending import IndexedTree, amend
from lkm.tree.depmod.indexes import build_indexes, write_indexes
from lkm.tree.memory import remembered
from lkm.tree.scan.search import SearchRules
from tests.builders.elf import AnExport, a_module
from tests.builders.memory import watched_scans
from tests.tree.trees import a_tree, chained

MANY = 30


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they are."""
    return watched_scans(monkeypatch)


def a_random_module(chance: random.Random, name: str) -> bytes:
    """A module with a few exports, aliases and needs out of what others may have as well."""
    number = int(name[1:])
    symbols = [f"sym{number}_{which}" for which in range(3)]
    others = [f"sym{chance.randrange(number)}_{chance.randrange(3)}" for _ in range(number and 2)]
    modinfo = [f"alias=bus:{chance.randrange(40)}{tail}" for tail in chance.sample("*-ab", 2)]
    modinfo += chance.sample(
        ["softdep=pre: m1", "weakdep=m2", "alias=devname:x", "alias=char-major-10-229"], 2
    )
    return a_module(
        name=name,
        modinfo=modinfo,
        exports=[AnExport(name=symbol) for symbol in chance.sample(symbols, 2)],
        imports=["printk", *dict.fromkeys(others)],
    )


def change(directory: Path, chance: random.Random) -> None:
    """Change, remove or add a module, at times two."""
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        path = directory / f"kernel/m{chance.randrange(MANY)}.ko"
        if path.exists() and chance.random() < 0.3:
            path.unlink()
            continue
        new = path.with_suffix(".new")
        new.write_bytes(a_random_module(chance, path.stem))
        new.rename(path)


def assert_same(directory: Path, cache: Cache) -> None:
    ours, anew = build_indexes(str(directory), cache=cache), build_indexes(str(directory))
    assert ours.files == anew.files
    assert ours.problems == anew.problems
    assert ours.modules == anew.modules
    assert ours.exported == anew.exported
    assert str(ours.cycle) == str(anew.cycle)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("seed", range(6))
def test_after_any_changes_the_indexes_are_those_made_anew(
    tmp_path: Path, cache: Cache, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    amended: list[bool] = []

    def counted(before: IndexedTree, now: list[ScannedModule], folder: str) -> IndexedTree | None:
        found = amend(before, now, folder)
        amended.append(found is not None and found is not before)
        return found

    monkeypatch.setattr(making, "amend", counted)
    chance = random.Random(seed)
    listed = [f"kernel/m{number}.ko" for number in range(0, MANY, chance.choice([1, 2]))]
    files = {f"kernel/m{n}.ko": a_random_module(chance, f"m{n}") for n in range(MANY)}
    directory = a_tree(tmp_path, files, order=chance.choice([listed, (), None]))
    for _ in range(25):
        assert_same(directory, cache)
        change(directory, chance)
    assert sum(amended) > 15


@pytest.mark.usefixtures("at_once")
def test_only_a_changed_file_is_read_again(tmp_path: Path, cache: Cache, read: list[str]) -> None:
    directory = a_tree(tmp_path, chained({"a": ["b"], "b": [], "c": []}))
    build_indexes(str(directory), cache=cache)
    assert sorted(read) == ["a.ko", "b.ko", "c.ko"]
    read.clear()
    (directory / "kernel/b.ko").unlink()
    (directory / "kernel/b.ko").write_bytes(chained({"b": ["c"]})["kernel/b.ko"])

    indexes = build_indexes(str(directory), cache=cache)

    assert read == ["b.ko"]
    assert b"kernel/a.ko: kernel/b.ko kernel/c.ko\n" in indexes.files["modules.dep"]


def test_what_has_just_changed_is_read_again(tmp_path: Path, cache: Cache, read: list[str]) -> None:
    directory = a_tree(tmp_path, chained({"a": []}))

    build_indexes(str(directory), cache=cache)
    build_indexes(str(directory), cache=cache)

    assert read == ["a.ko", "a.ko"]


@pytest.mark.usefixtures("at_once")
def test_a_symbol_that_comes_or_goes_changes_who_needs_whom(tmp_path: Path, cache: Cache) -> None:
    directory = a_tree(tmp_path, chained({"a": ["late"], "b": ["a"]}))
    assert_same(directory, cache)
    late = directory / "kernel/late.ko"

    late.write_bytes(chained({"late": []})["kernel/late.ko"])

    assert_same(directory, cache)
    dep = build_indexes(str(directory), cache=cache).files["modules.dep"]
    assert b"kernel/b.ko: kernel/a.ko kernel/late.ko\n" in dep
    late.unlink()
    assert_same(directory, cache)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    "new",
    [
        {"b": a_module(name="b", exports=[AnExport(name="use_a")])},
        {"b": a_module(name="b", modinfo=["alias=x[", "alias=y"])},
        {"b": a_module(name="b", modinfo=["alias=\xe9"])},
        {"b": a_module(name="b", modinfo=["alias=x-y", "alias=x_y"])},
        {"b": b"no module"},
        chained({"a": ["c"]}) and {"c": chained({"c": ["a"]})["kernel/c.ko"]},
    ],
    ids=["a symbol twice", "bad alias", "not ASCII", "an alias twice", "no module", "no change"],
)
def test_what_is_unusual_is_told_as_ever(
    tmp_path: Path, cache: Cache, new: Mapping[str, bytes]
) -> None:
    directory = a_tree(tmp_path, chained({"a": [], "c": ["a"]}))
    assert_same(directory, cache)
    for name, data in new.items():
        (directory / f"kernel/{name}.ko").write_bytes(data)
    for _ in range(3):
        assert_same(directory, cache)
    (directory / f"kernel/{next(iter(new))}.ko").unlink()
    assert_same(directory, cache)


@pytest.mark.usefixtures("at_once")
def test_names_that_are_empty_or_begin_with_a_dot_are_as_ever(tmp_path: Path, cache: Cache) -> None:
    files = chained({"a": ["q"], "b": []}) | {"kernel/c.ko": a_module(name="c", imports=["q", "."])}
    directory = a_tree(tmp_path, files)
    assert_same(directory, cache)
    for exports in (["", "z"], [".q", "q"], ["..q"], ["q"]):
        (directory / "kernel/b.ko").unlink()
        (directory / "kernel/b.ko").write_bytes(
            a_module(name="b", exports=[AnExport(name=name) for name in exports])
        )
        assert_same(directory, cache)


@pytest.mark.usefixtures("at_once")
def test_a_cycle_that_comes_is_told(tmp_path: Path, cache: Cache) -> None:
    directory = a_tree(tmp_path, chained({"a": ["b"], "b": []}))
    assert_same(directory, cache)
    (directory / "kernel/b.ko").unlink()
    (directory / "kernel/b.ko").write_bytes(chained({"b": ["a"]})["kernel/b.ko"])

    assert build_indexes(str(directory), cache=cache).cycle is not None
    assert_same(directory, cache)


@pytest.mark.usefixtures("at_once")
def test_the_kernels_own_files_and_the_rules_count_as_well(tmp_path: Path, cache: Cache) -> None:
    files = chained({"a": []}) | {"updates/a.ko": a_module(name="a", modinfo=["alias=new"])}
    directory = a_tree(tmp_path, files, builtin=["kernel/fs/x.ko"])
    assert_same(directory, cache)

    (directory / "modules.builtin").write_text("kernel/fs/y.ko\n")
    (directory / "modules.builtin.modinfo").unlink()
    assert_same(directory, cache)
    rules = SearchRules(search=("built-in", "updates"))
    ours = build_indexes(str(directory), rules=rules, cache=cache)

    assert ours.files == build_indexes(str(directory), rules=rules).files
    assert ours.files["modules.dep"] == b"kernel/a.ko:\n"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["scan", "indexes"])
@pytest.mark.parametrize("harm", ["cut", "changed", "foreign", "gone", "folder", "older"])
def test_a_damaged_or_foreign_entry_is_as_good_as_none(
    tmp_path: Path, cache: Cache, kind: str, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = a_tree(tmp_path, chained({"a": ["b"], "b": []}))
    assert_same(directory, cache)
    (entry,) = Path(cache.folder).glob(f"{kind}-*")
    data = entry.read_bytes()
    if harm == "older":
        monkeypatch.setattr("lkm.tree.memory.tree_cache._MADE_BY", ("another",))
    elif harm == "cut":
        entry.write_bytes(data[: len(data) // 2])
    elif harm == "changed":
        entry.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif harm == "foreign":
        entry.write_bytes(b"something else" * 100)
    else:
        entry.unlink()
        if harm == "folder":
            entry.mkdir()

    assert_same(directory, cache)
    assert entry.is_file()
    assert remembered.TreeMemory(cache, str(directory)).indexes() is not None


@pytest.mark.usefixtures("at_once")
def test_indexes_of_another_scan_are_not_taken(tmp_path: Path, cache: Cache) -> None:
    directory = a_tree(tmp_path, chained({"a": [], "b": []}))
    build_indexes(str(directory), cache=cache)
    (entry,) = Path(cache.folder).glob("indexes-*")
    old = entry.read_bytes()
    for name in "ab":
        path = directory / f"kernel/{name}.ko"
        path.unlink()
        path.write_bytes(a_module(name=name, modinfo=["alias=new"]))
    build_indexes(str(directory), cache=cache)

    entry.write_bytes(old)

    assert_same(directory, cache)


@pytest.mark.usefixtures("at_once")
def test_a_tree_that_was_not_changed_writes_nothing(tmp_path: Path, cache: Cache) -> None:
    directory = a_tree(tmp_path, chained({"a": [], "b": []}))
    write_indexes(build_indexes(str(directory), cache=cache).files, str(directory))
    before = {path: path.stat().st_mtime_ns for path in Path(cache.folder).iterdir()}
    time.sleep(0.02)

    assert_same(directory, cache)

    assert {path: path.stat().st_mtime_ns for path in Path(cache.folder).iterdir()} == before


@pytest.mark.debian
@pytest.mark.usefixtures("at_once")
def test_a_real_kernel_with_a_module_more_gives_the_same(
    debian_root: Path, cache: Cache, tmp_path: Path
) -> None:
    (directory,) = (debian_root / "lib/modules").iterdir()
    here = tmp_path / "lib/modules" / directory.name
    here.mkdir(parents=True)
    for entry in directory.iterdir():
        if entry.name not in ("build", "source"):
            (here / entry.name).symlink_to(entry)
    assert_same(here, cache)
    for needed in ("crc32c", "usb_register_driver"):
        extra = a_module(name="extra", modinfo=["alias=e:*"], imports=[needed])
        (here / "extra.ko").unlink(missing_ok=True)
        (here / "extra.ko").write_bytes(extra)
        assert remembered.TreeMemory(cache, str(here)).indexes() is not None
        assert_same(here, cache)


def test_facts_are_what_a_scan_says(tmp_path: Path) -> None:
    path = tmp_path / "a.ko"
    path.write_bytes(a_random_module(random.Random(1), "a1"))
    module = scan_file(str(path))

    assert ScannedModule(str(path), *module.facts) == module
