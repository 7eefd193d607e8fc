"""What reads a modules directory: binary indexes, the text files beside them, depmod."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from lkm.config.settings import Settings
from lkm.errors import LkmError
from lkm.resolve.loading import plan_load
from lkm.resolve.lookup import lookup, lookup_each
from lkm.resolve.plan import as_modprobe_lines
from lkm.teaching import RELEASE
from lkm.tree.builtin import builtins_from_bytes
from lkm.tree.catalog import Catalog
from lkm.tree.tables import parse_aliases, parse_dep, parse_devname, parse_paths
from lkm.tree.trie.index import TrieIndex
from tests.builders.tree import RELEASE as BUILT
from tests.builders.tree import a_root
from tests.cli.running import lkm
from tests.fuzz import corpus
from tests.fuzz.inputs import ContradictionError, Input, Run, Target
from tests.fuzz.mutate import mutate_bytes, mutate_either, mutate_lines
from tests.fuzz.mutate_elf import mutate_module
from tests.fuzz.mutate_trees import mutate_index

_WORDS = (
    *("fat", "vfat", "usb_storage", "nls-cp437", "fs-vfat", "symbol:fat_attach", "nothing"),
    *("pci:v00008086d00001229sv00sd00bc02sc00i00", "usb:v0930p6545d0100dc00dsc00dp00ic08isc06ip50"),
    *("a" * 60, "*", "", "é", "x[", "crc32c", "ext4", "fs-ext4", "char-major-6-0"),
)


@functools.cache
def _indexes(_real: bool) -> tuple[Input, ...]:
    found = [Input(path.name, path.read_bytes()) for path in _files("*.bin")]
    return (*found, Input("empty.bin", bytes.fromhex("b007f457000200010000000c")))


def _files(pattern: str) -> list[Path]:
    return sorted(corpus.teaching_tree().glob(f"modules.{pattern}"))


@functools.cache
def _tree_files(_real: bool) -> tuple[Input, ...]:
    return tuple(Input(path.name, path.read_bytes()) for path in _files("*"))


@functools.cache
def _texts(real: bool) -> tuple[Input, ...]:
    found = [each for each in _tree_files(real) if not each.name.endswith(".bin")]
    if real:
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            files = corpus.real_file(f"linux-image-6.1*-cloud-amd64/lib/modules/*/{name}")
            found += [Input(each.name, each.data[:20_000]) for each in files]
    return tuple(found)


def _index(folder: Path) -> Run:
    def run(given: Input) -> str:
        path = folder / "x.bin"
        path.write_bytes(given.data)
        index = TrieIndex.open(str(path))
        asked: tuple[Callable[[], object], ...] = (
            index.check,
            lambda: [index.find(word) for word in _WORDS],
            lambda: [index.match(word) for word in _WORDS],
            lambda: index.match_each(_WORDS),
            lambda: sum(1 for _ in index.items()),
        )
        problems = 0
        try:
            for question in asked:
                problems += _fails(question)
            problems += _fails(lambda: list(TrieIndex.from_bytes(given.data).items()))
        finally:
            index.close()
        return f"{problems} questions fail"

    return run


def _fails(question: Callable[[], object]) -> bool:
    try:
        question()
    except LkmError:
        return True
    return False


def _catalog(folder: Path) -> Run:
    tree = folder / "lib/modules" / RELEASE
    shutil.copytree(corpus.teaching_tree(), tree)
    settings = Settings.read(str(folder))

    def run(given: Input) -> str:
        path = tree / given.name
        before = path.read_bytes()
        path.write_bytes(given.data)
        try:
            return _asked(str(tree), settings)
        finally:
            path.write_bytes(before)

    return run


def _asked(directory: str, settings: Settings) -> str:
    notices: list[str] = []
    catalog = Catalog.open(directory, on_notice=notices.append)
    try:
        texts = Settings.read("/nowhere", tree_texts=catalog.config_texts())
        for word in _WORDS:
            lookup(word, catalog, settings)
            try:
                plan = plan_load(word, catalog, texts, show_all=True)
            except LkmError:
                continue
            list(as_modprobe_lines(plan))
        lookup_each(_WORDS, catalog, settings)
        for ask in (
            *(catalog.entries, catalog.builtins, catalog.all_aliases, catalog.all_symbols),
            catalog.all_builtin_aliases,
        ):
            ask()
    finally:
        catalog.close()
    return f"{len(notices)} notices"


def _text(_folder: Path) -> Run:
    def run(given: Input) -> str:
        for parse in (parse_dep, parse_aliases, parse_devname, parse_paths):
            try:
                parse(given.data)
            except LkmError:
                continue
        builtins_from_bytes(given.data, given.data)
        return "fine"

    return run


@functools.cache
def _depmod_inputs(real: bool) -> tuple[Input, ...]:
    lists = (
        Input("modules.order", b"kernel/lone.ko\nkernel/fs/fat/fat.ko\n"),
        Input("modules.builtin", b"kernel/fs/ext2.ko\nkernel/a-b.ko\n"),
        Input("modules.builtin.modinfo", b"ext2.alias=fs-ext2\0a_b.parm=x:y\0"),
    )
    modules = [each for each in corpus.modules(real) if len(each.data) < 1 << 18]
    return (*lists, *modules)


def _depmod(folder: Path) -> Run:
    root = a_root(folder / "root")
    tree = root / "lib/modules" / BUILT

    def run(given: Input) -> str:
        listed = given.name.startswith("modules.")
        path = tree / (given.name if listed else f"kernel/fs/{given.name}")
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(given.data)
        try:
            ran = lkm("depmod", "--no-cache", "-w", "-b", str(root), BUILT)
            catalog = Catalog.open(str(tree))
            try:
                for name in ("fat", "vfat", "lone"):
                    if catalog.entry(name) is None:
                        raise ContradictionError(f"{name} is not in the indexes: {ran.err[:500]}")
            finally:
                catalog.close()
        finally:
            if before is None:
                path.unlink()
            else:
                path.write_bytes(before)
        return f"status {ran.status}"

    return run


def _mutate_depmod(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    if start.name.startswith("modules."):
        return mutate_lines(rng, start, others)
    return mutate_module(rng, start, others)


def _mutate_tree_file(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    if start.name.endswith(".bin") and rng.random() < 0.8:
        return mutate_index(rng, start, others)
    return (mutate_either if rng.random() < 0.9 else mutate_bytes)(rng, start, others)


TARGETS = (
    Target(name="index", seeds=_indexes, mutate=mutate_index, prepare=_index, cost=2),
    Target(name="catalog", seeds=_tree_files, mutate=_mutate_tree_file, prepare=_catalog, cost=10),
    Target(name="tree-text", seeds=_texts, mutate=mutate_lines, prepare=_text),
    Target(name="depmod", seeds=_depmod_inputs, mutate=_mutate_depmod, prepare=_depmod, cost=12),
)
