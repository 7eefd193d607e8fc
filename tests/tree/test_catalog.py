"""A tree as a value: by its indexes, by its text files, by a scan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.errors import NoTreeError
from lkm.tree.catalog import Catalog
from lkm.tree.depmod.indexes import build_indexes, write_indexes
from tests.builders.elf import AnExport, a_module
from tests.tree.trees import RELEASE, a_tree, chained, node_places

BINARY = ("modules.dep.bin", "modules.alias.bin", "modules.symbols.bin")
INDEXES = (*BINARY, "modules.builtin.bin", "modules.builtin.alias.bin")
TEXT = ("modules.dep", "modules.alias", "modules.symbols")


def a_small_tree(root: Path) -> Path:
    """Build ext4 <- jbd2 <- crc-16, two of them with aliases, and a built-in."""
    directory = a_tree(
        root,
        {
            "kernel/fs/ext4.ko": a_module(
                name="ext4",
                modinfo=["alias=fs-ext4", "alias=ext*", "softdep=pre: crc-16"],
                imports=["jbd2_start"],
            ),
            "kernel/fs/jbd2.ko": a_module(
                name="jbd2", exports=[AnExport(name="jbd2_start")], imports=["crc16"]
            ),
            "updates/crc-16.ko": a_module(
                name="crc_16", exports=[AnExport(name="crc16")], modinfo=["alias=ext?"]
            ),
        },
        order=["kernel/fs/ext4.ko", "kernel/fs/jbd2.ko"],
        builtin=["kernel/net/unix/unix.ko", "kernel/fs/ext-two.ko"],
        builtin_modinfo=["unix.alias=net-pf-1", "unix.license=GPL"],
    )
    write_indexes(build_indexes(str(directory)).files, str(directory))
    return directory


def indexed(directory: Path) -> Catalog:
    return Catalog.open(str(directory))


def from_text(directory: Path) -> Catalog:
    for path in directory.glob("*.bin"):
        path.unlink()
    return Catalog.open(str(directory))


def from_a_bad_index(directory: Path) -> Catalog:
    (directory / "modules.alias.bin").write_bytes(b"\xb0\x07\xf4W\0\1\0\1\0\0\0\x0c")
    return Catalog.open(str(directory))


def without_anything(directory: Path) -> Catalog:
    for path in directory.glob("modules.*"):
        if path.name not in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            path.unlink()
    return Catalog.open(str(directory))


WAYS = [indexed, from_text, from_a_bad_index, without_anything]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_gives_the_same_answers(tmp_path: Path, way: Callable[[Path], Catalog]) -> None:
    directory = a_small_tree(tmp_path)
    catalog = way(directory)

    ext4 = catalog.entry("ext4")
    assert ext4 is not None
    assert (ext4.name, ext4.path) == ("ext4", "kernel/fs/ext4.ko")
    assert ext4.depends == ("kernel/fs/jbd2.ko", "updates/crc-16.ko")
    assert catalog.entry("none") is None
    assert catalog.entry("crc_16") is not None
    assert catalog.entry("crc-16") == catalog.entry("crc_16")
    assert [entry.name for entry in catalog.entries()] == ["ext4", "jbd2", "crc_16"]
    assert catalog.file(ext4.path) == f"{directory}/kernel/fs/ext4.ko"
    assert catalog.aliases("fs_ext4") == ("ext4",)
    assert catalog.aliases("ext4") == ("ext4", "crc_16")
    assert catalog.aliases("none") == ()
    assert catalog.symbol_owners("symbol:jbd2_start") == ("jbd2",)
    assert catalog.is_builtin("unix")
    assert catalog.is_builtin("ext-two")
    assert not catalog.is_builtin("ext4")
    assert catalog.builtin_aliases("net_pf_1") == ("unix",)
    unix, _ = catalog.builtins()
    assert unix.modinfo == (("alias", "net-pf-1"), ("license", "GPL"))
    assert len(catalog.all_aliases()) == 3
    assert len(catalog.all_symbols()) == 2
    softdep, weakdep = catalog.config_texts()
    assert softdep[0] == f"{directory}/modules.softdep"
    assert softdep[1].endswith("\nsoftdep ext4 pre: crc-16\n")
    assert weakdep[0] == f"{directory}/modules.weakdep"
    assert catalog.release == RELEASE
    catalog.close()


def everything(catalog: Catalog) -> dict[str, object]:
    """Return what a catalog answers to each kind of question."""
    return {
        "entries": [(each.name, each.path, each.depends) for each in catalog.entries()],
        "names": [getattr(catalog.entry(name), "path", None) for name in ("ext4", "jbd2", "no")],
        "aliases": [catalog.aliases(word) for word in ("fs_ext4", "ext4", "none")],
        "symbols": [catalog.symbol_owners(f"symbol:{name}") for name in ("jbd2_start", "crc16")],
        "builtin": [catalog.is_builtin(name) for name in ("unix", "ext-two", "ext4")],
        "builtin aliases": [catalog.builtin_aliases(word) for word in ("net_pf_1", "none")],
        "all": [catalog.all_aliases(), catalog.all_symbols(), catalog.all_builtin_aliases()],
    }


def remove(directory: Path, *names: str) -> None:
    for name in names:
        (directory / name).unlink()


def break_one(directory: Path) -> None:
    (directory / "modules.alias.bin").write_bytes(b"\xb0\x07\xf4W\0\1\0\1\0\0\0\x0c")


ASKED: list[tuple[Callable[[Path], object], Callable[[Catalog], object], str, str]] = [
    (lambda _: None, everything, "indexes", ""),
    # What is not asked may be missing.
    (
        lambda tree: remove(tree, "modules.symbols", "modules.symbols.bin"),
        lambda tree: (tree.entry("ext4"), tree.aliases("fs_ext4"), tree.config_texts()),
        "indexes",
        "",
    ),
    (break_one, lambda tree: tree.entry("ext4"), "indexes", ""),
    (break_one, lambda tree: tree.aliases("ext4"), "text", "modules.alias.bin is no usable index"),
    (
        lambda tree: remove(tree, *INDEXES),
        everything,
        "text",
        "modules.dep.bin cannot be read (No such file or directory)",
    ),
    (
        lambda tree: remove(tree, "modules.builtin.bin"),
        lambda tree: tree.is_builtin("unix"),
        "text",
        "modules.builtin.bin cannot be read",
    ),
    (
        lambda tree: (tree / "modules.builtin.alias.bin").write_bytes(b""),
        lambda tree: tree.builtin_aliases("net_pf_1"),
        "text",
        "modules.builtin.alias.bin is no usable index (cut off in the header)",
    ),
    (
        lambda tree: remove(tree, "modules.builtin.bin", "modules.builtin"),
        lambda tree: tree.is_builtin("unix"),
        "indexes",
        "",
    ),
    (
        lambda tree: remove(tree, "modules.dep.bin", "modules.dep"),
        lambda tree: tree.config_texts(),
        "scan",
        "scanning the module files instead",
    ),
]


@pytest.mark.parametrize(("change", "ask", "source", "notice"), ASKED)
def test_a_catalog_says_once_what_answers_and_why(
    tmp_path: Path,
    change: Callable[[Path], object],
    ask: Callable[[Catalog], object],
    source: str,
    notice: str,
) -> None:
    directory = a_small_tree(tmp_path)
    change(directory)
    notices: list[str] = []
    catalog = Catalog.open(str(directory), on_notice=notices.append)

    assert ask(catalog) == ask(catalog)

    assert catalog.source == source
    assert len(notices) == bool(notice)
    assert all(notice in each and "\n" not in each for each in notices)


def test_empty_indexes_of_builtins_as_kmod_leaves_them_do_no_harm(tmp_path: Path) -> None:
    directory = a_small_tree(tmp_path)
    for name in ("modules.builtin.bin", "modules.builtin.alias.bin"):
        (directory / name).write_bytes(b"")
    for name in ("modules.builtin", "modules.builtin.modinfo"):
        (directory / name).unlink()

    notices: list[str] = []
    catalog = Catalog.open(str(directory), on_notice=notices.append)

    assert not catalog.is_builtin("unix")
    assert catalog.builtin_aliases("net_pf_1") == ()
    assert catalog.builtins() == ()
    assert (catalog.source, notices) == ("indexes", [])


def test_a_tree_of_an_old_kernel_has_absolute_paths_that_lie_below_it(tmp_path: Path) -> None:
    directory = tmp_path / "lib/modules/2.6.26"
    directory.mkdir(parents=True)
    old = "/lib/modules/2.6.26/kernel"
    (directory / "modules.dep").write_text(f"{old}/a-b.ko: {old}/c.ko\n{old}/c.ko:\n/opt/d.ko:\n")
    (directory / "modules.alias").write_text("# Aliases\nalias net-pf-1 a_b\n")
    (directory / "modules.symbols").write_text("alias symbol:c_open c\n")

    catalog = Catalog.open(str(directory))

    entry = catalog.entry("a_b")
    assert entry is not None
    assert entry.path == f"{old}/a-b.ko"
    assert [catalog.file(path) for path in (entry.path, *entry.depends)] == [
        f"{directory}/kernel/a-b.ko",
        f"{directory}/kernel/c.ko",
    ]
    assert catalog.file("/opt/d.ko") == "/opt/d.ko"
    assert catalog.aliases("net_pf_1") == ("a_b",)
    assert catalog.symbol_owners("symbol:c_open") == ("c",)
    assert catalog.config_texts() == ()


def test_a_missing_tree_is_an_error_that_says_what_helps(tmp_path: Path) -> None:
    with pytest.raises(NoTreeError) as caught:
        Catalog.open(str(tmp_path / "none"))

    assert caught.value.remedy == (
        "name a root or a release that has one; lsmod and rmmod need none"
    )


def a_tree_with_cycles(root: Path) -> Path:
    needs = {"user": ["a"], "a": ["b"], "b": ["a", "deep"], "deep": [], "top": ["deep"], "x": ["x"]}
    return a_tree(root, chained(needs), order=[f"kernel/{name}.ko" for name in needs])


@pytest.mark.parametrize("way", [indexed, without_anything])
def test_a_cycle_takes_nothing_from_the_rest_of_a_tree(
    tmp_path: Path, way: Callable[[Path], Catalog]
) -> None:
    catalog = way(a_tree_with_cycles(tmp_path))

    assert {entry.name: entry.depends for entry in catalog.entries()} == {
        "user": ("kernel/a.ko", "kernel/b.ko", "kernel/deep.ko"),
        "a": ("kernel/b.ko", "kernel/deep.ko"),
        "b": ("kernel/a.ko", "kernel/deep.ko"),
        "deep": (),
        "top": ("kernel/deep.ko",),
        "x": (),
    }
    assert catalog.symbol_owners("symbol:use_a") == ("a",)


def test_a_catalog_names_cycles_and_what_follows_from_them(tmp_path: Path) -> None:
    directory = str(a_tree_with_cycles(tmp_path))
    notices: list[str] = []
    Catalog.open(directory, on_notice=notices.append).entries()

    cycles = (
        "modules depend on each other: a -> b -> a, x -> x; "
        "by depmod's rules neither these nor what needs them can be loaded"
    )
    assert notices == [
        f"{directory}: modules.dep.bin cannot be read (No such file or directory); "
        f"scanning the module files instead; {cycles}"
    ]


def test_an_empty_tree_answers_that_nothing_is_there(tmp_path: Path) -> None:
    catalog = Catalog.open(str(a_tree(tmp_path, {}, order=None, builtin=None)))

    assert (catalog.entries(), catalog.source) == ((), "scan")


def cuts(data: bytes) -> list[bytes]:
    return [data[:place] for place in range(1, len(data))]


def unwritten(data: bytes) -> list[bytes]:
    """Return *data* with zeros for its end, from somewhere in the header or a node's beginning."""
    places = [*range(1, 12), *node_places(data)]
    return [data[:place] + bytes(len(data) - place) for place in places]


@pytest.mark.parametrize("name", INDEXES)
@pytest.mark.parametrize("damage", [cuts, unwritten])
def test_an_index_damaged_anywhere_is_replaced_by_its_text(
    tmp_path: Path, name: str, damage: Callable[[bytes], list[bytes]]
) -> None:
    directory = a_small_tree(tmp_path)
    sound = (directory / name).read_bytes()
    expected = everything(Catalog.open(str(directory)))

    for place, damaged in enumerate(damage(sound)):
        (directory / name).write_bytes(damaged)
        notices: list[str] = []
        catalog = Catalog.open(str(directory), on_notice=notices.append)

        assert everything(catalog) == everything(catalog) == expected, place
        assert len(notices) == 1, place
        assert all(name in each and "reading the text files" in each for each in notices)


def test_without_the_text_a_damaged_index_is_replaced_by_a_scan(tmp_path: Path) -> None:
    directory = a_small_tree(tmp_path)
    expected = everything(Catalog.open(str(directory)))
    for name, text in zip(BINARY, TEXT, strict=True):
        (directory / text).unlink()
        (directory / name).write_bytes((directory / name).read_bytes()[:-8])
    notices: list[str] = []

    catalog = Catalog.open(str(directory), on_notice=notices.append)

    assert (everything(catalog), catalog.source) == (expected, "scan")
    assert len(notices) == 1
    assert notices[0].startswith(f"{directory}: modules.dep.bin is no usable index (")
    assert notices[0].endswith("; scanning the module files instead (depmod mends this)")


def test_what_the_intact_part_of_a_damaged_index_answers_is_taken(tmp_path: Path) -> None:
    directory = a_small_tree(tmp_path)
    path = directory / "modules.dep.bin"
    path.write_bytes(path.read_bytes()[:-1])
    (directory / "modules.dep").unlink()
    notices: list[str] = []

    entry = Catalog.open(str(directory), on_notice=notices.append).entry("crc_16")

    assert entry is not None
    assert notices == []


def test_a_relative_directory_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_small_tree(tmp_path)
    monkeypatch.chdir(tmp_path)

    catalog = Catalog.open(f"./lib/modules/{RELEASE}")

    assert catalog.directory == f"{tmp_path}/./lib/modules/{RELEASE}"


def test_text_that_an_index_cannot_hold_is_left_out(tmp_path: Path) -> None:
    directory = a_small_tree(tmp_path)
    with (directory / "modules.alias").open("a") as file:
        file.write("alias \N{SNOWMAN} ext4\n")

    assert from_text(directory).aliases("fs_ext4") == ("ext4",)
