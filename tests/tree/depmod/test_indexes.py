"""Making the index files of small trees."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lkm.errors import CycleError, NoTreeError
from lkm.tree.depmod.indexes import Checks, build_indexes, text_of
from lkm.tree.problem import Problem
from lkm.tree.scan.search import SearchRules
from lkm.tree.trie.index import TrieIndex
from tests.builders.elf import AnExport, a_module
from tests.tree.trees import a_tree, chained

WRITTEN = [
    "modules.dep",
    "modules.dep.bin",
    "modules.alias",
    "modules.alias.bin",
    "modules.softdep",
    "modules.weakdep",
    "modules.symbols",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
    "modules.devname",
]


def items(data: bytes) -> list[tuple[str, str, int]]:
    return list(TrieIndex.from_bytes(data).items())


def test_all_files_are_made_in_depmods_order(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, {"kernel/a.ko": a_module(name="a")})

    indexes = build_indexes(str(directory))

    assert list(indexes.files) == WRITTEN
    assert indexes.problems == ()
    assert indexes.files["modules.dep"] == b"kernel/a.ko:\n"


def test_dependencies_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    needs = {"ext4": ["jbd2", "mbcache", "crc16"], "jbd2": [], "mbcache": ["crc16"], "crc16": []}
    directory = a_tree(tmp_path, chained(needs), order=[f"kernel/{name}.ko" for name in needs])

    files = build_indexes(str(directory)).files

    assert files["modules.dep"] == (
        b"kernel/ext4.ko: kernel/mbcache.ko kernel/crc16.ko kernel/jbd2.ko\n"
        b"kernel/jbd2.ko:\nkernel/mbcache.ko: kernel/crc16.ko\nkernel/crc16.ko:\n"
    )
    assert items(files["modules.dep.bin"]) == [
        ("crc16", "kernel/crc16.ko:", 3),
        ("ext4", "kernel/ext4.ko: kernel/mbcache.ko kernel/crc16.ko kernel/jbd2.ko", 0),
        ("jbd2", "kernel/jbd2.ko:", 1),
        ("mbcache", "kernel/mbcache.ko: kernel/crc16.ko", 2),
    ]
    assert items(files["modules.symbols.bin"])[0] == ("symbol:use_crc16", "crc16", 3)


def test_compressed_modules_are_read_and_keep_their_suffix(tmp_path: Path) -> None:
    modules = chained({"user": ["owner"], "owner": []})
    directory = a_tree(
        tmp_path,
        {f"{path}.gz": gzip.compress(data) for path, data in modules.items()},
        order=["kernel/owner.ko", "kernel/user.ko"],
    )

    files = build_indexes(str(directory)).files

    assert files["modules.dep"] == b"kernel/owner.ko.gz:\nkernel/user.ko.gz: kernel/owner.ko.gz\n"


def test_a_weak_reference_is_a_dependency_where_somebody_exports_it(tmp_path: Path) -> None:
    directory = a_tree(
        tmp_path,
        {
            "kernel/user.ko": a_module(name="user", weak_imports=["offered", "nowhere"]),
            "kernel/owner.ko": a_module(name="owner", exports=[AnExport(name="offered")]),
        },
        order=["kernel/user.ko", "kernel/owner.ko"],
    )

    files = build_indexes(str(directory)).files

    assert files["modules.dep"] == b"kernel/user.ko: kernel/owner.ko\nkernel/owner.ko:\n"


def test_a_symbol_of_two_modules_belongs_to_the_last(tmp_path: Path) -> None:
    both = {f"kernel/{n}.ko": a_module(name=n, exports=[AnExport(name="same")]) for n in "ab"}
    directory = a_tree(tmp_path, both, order=["kernel/b.ko", "kernel/a.ko"])

    files = build_indexes(str(directory)).files

    assert files["modules.symbols"].endswith(b"\nalias symbol:same a\n")


def test_modinfo_goes_into_alias_softdep_weakdep_and_devname(tmp_path: Path) -> None:
    modinfo = [
        "alias=pci:v-1[a-b]*",
        "alias=bad[",
        "softdep=pre: x",
        "weakdep=y z",
        "alias=devname:net/tun",
        "alias=char-major-10-*",
        "alias=char-major-10-200",
    ]
    directory = a_tree(tmp_path, {"kernel/tun-x.ko": a_module(name="tun_x", modinfo=modinfo)})

    indexes = build_indexes(str(directory))

    files = indexes.files
    assert files["modules.alias"].startswith(
        b"# Aliases extracted from modules themselves.\n"
        b"alias pci:v-1[a-b]* tun_x\nalias bad[ tun_x\n"
    )
    assert items(files["modules.alias.bin"])[-1] == ("pci:v_1[a-b]*", "tun_x", 0)
    assert files["modules.softdep"].endswith(b"\nsoftdep tun_x pre: x\n")
    assert files["modules.weakdep"].endswith(b"\nweakdep tun_x y z\n")
    assert files["modules.devname"].endswith(b"\ntun_x net/tun c10:200\n")
    assert indexes.problems == (
        Problem(
            "WARNING",
            "Unmatched bracket in bad[",
            kind="bad-alias",
            modules=("tun_x",),
            index="modules.alias.bin",
        ),
    )


def test_a_device_name_without_numbers_is_a_problem(tmp_path: Path) -> None:
    modinfo = ["alias=devname:x", "alias=block-major-7-*", "alias=char-major-10"]
    directory = a_tree(tmp_path, {"kernel/x.ko": a_module(name="x", modinfo=modinfo)})

    indexes = build_indexes(str(directory))

    assert indexes.files["modules.devname"] == b""
    assert indexes.problems == (
        Problem(
            "ERROR",
            "Module 'x' has devname (x) but lacks major and minor information. Ignoring.",
            kind="device-numbers",
            path=f"{directory}/kernel/x.ko",
            modules=("x",),
            index="modules.devname",
        ),
    )


def test_builtins_have_indexes_of_names_and_aliases(tmp_path: Path) -> None:
    directory = a_tree(
        tmp_path,
        {},
        builtin=["kernel/fs/foo-bar.ko", "", "kernel/x.ko"],
        builtin_modinfo=["foo_bar.alias=net-1", "x.license=GPL", "x.alias=a]b"],
    )

    indexes = build_indexes(str(directory))

    assert items(indexes.files["modules.builtin.bin"]) == [("foo_bar", "", 0), ("x", "", 0)]
    assert items(indexes.files["modules.builtin.alias.bin"]) == [("net_1", "foo_bar", 0)]
    assert [(one.level, one.text, one.index) for one in indexes.problems] == [
        ("ERROR", "Invalid modules.builtin line: \n", "modules.builtin.bin"),
        ("WARNING", "Unmatched bracket in a]b", "modules.builtin.alias.bin"),
    ]


def test_what_the_build_did_not_leave_is_warned_about(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, {}, order=None, builtin=None, builtin_modinfo=None)

    indexes = build_indexes(str(directory))

    assert [problem.text for problem in indexes.problems] == [
        f"could not open {name} at {directory}: No such file or directory"
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo")
    ]
    assert len(indexes.files["modules.builtin.bin"]) == 12


def test_an_order_file_without_its_last_newline_sorts_nothing(tmp_path: Path) -> None:
    modules = chained({name: [] for name in ("a", "b", "c")})
    unsorted = a_tree(tmp_path / "1", modules, order=None)
    directory = a_tree(tmp_path / "2", modules, order=b"kernel/c.ko\nkernel/b.ko\nkernel/a.ko")

    indexes = build_indexes(str(directory))

    assert indexes.files["modules.dep"] == build_indexes(str(unsorted)).files["modules.dep"]
    assert [(one.level, one.text) for one in indexes.problems] == [
        ("ERROR", f"{directory}/modules.order:3 corrupted line misses '\\n'")
    ]


def test_modules_that_need_each_other_are_told_and_all_else_is_indexed(tmp_path: Path) -> None:
    needs = {"top": ["p"], "p": ["q"], "q": ["p", "d"], "d": [], "other": ["d"]}
    directory = a_tree(tmp_path, chained(needs), order=[f"kernel/{name}.ko" for name in needs])

    indexes = build_indexes(str(directory))

    cycle = indexes.cycle
    assert cycle is not None
    assert cycle.cycles == (("p", "q"),)
    assert str(cycle) == f"{directory}: modules depend on each other: p -> q -> p"
    assert cycle.remedy == "break the cycle: no order of loading works"
    assert [(one.text, one.kind, one.modules) for one in indexes.problems] == [
        ("Cycle detected: p -> q -> p", "cycle", ("p", "q")),
        ("Found 2 modules in dependency cycles!", "cycle", ("p", "q")),
    ]
    assert indexes.files["modules.dep"].decode().splitlines() == [
        "kernel/top.ko: kernel/p.ko kernel/q.ko kernel/d.ko",
        "kernel/p.ko: kernel/q.ko kernel/d.ko",
        "kernel/q.ko: kernel/p.ko kernel/d.ko",
        "kernel/d.ko:",
        "kernel/other.ko: kernel/d.ko",
    ]
    assert list(indexes.files) == WRITTEN


def test_a_tangle_of_cycles_is_told_in_one_line() -> None:
    pairs = tuple((f"a{number}", f"b{number}") for number in range(5))

    assert str(CycleError(pairs, "/tree")) == (
        "/tree: modules depend on each other: a0 -> b0 -> a0, a1 -> b1 -> a1, a2 -> b2 -> a2 "
        "(and 2 more cycles)"
    )
    assert str(CycleError(pairs[:4], "/tree")).endswith("a2 -> b2 -> a2 (and 1 more cycle)")
    long = CycleError((tuple(f"m{number}" for number in range(1000)),), "/tree")
    assert str(long).endswith("m6 -> m7 -> ... 992 more ... -> m0")
    assert "-> m998 -> m999 -> m0" in long.kmod_lines[0]


SIXTY = [f"m{number}" for number in range(60)]
TANGLES = {
    "all of them": dict.fromkeys(SIXTY, SIXTY),
    "a chain of cycles": {
        **{f"p{n}": [f"q{n}"] for n in range(60)},
        **{f"q{n}": [f"p{n}", f"p{n + 1}"] for n in range(59)},
        "q59": ["p59"],
    },
    # kmod 30 and 34 take all memory on the first, and fail an assertion on the second.
    "a cycle that leads to another": {
        "p": ["q", "d"],
        "q": ["p"],
        "d": ["x"],
        "x": ["y"],
        "y": ["x"],
    },
    "four, each by each": {name: list("abcd") for name in "abcd"},
}


@pytest.mark.parametrize("needs", TANGLES.values(), ids=TANGLES.keys())
def test_a_tangle_ends_soon_and_names_every_module_of_it(
    tmp_path: Path, needs: Mapping[str, Sequence[str]]
) -> None:
    directory = a_tree(tmp_path, chained(needs))

    tracemalloc.start()
    indexes = build_indexes(str(directory))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 20 << 20
    assert indexes.cycle is not None
    assert len(set(indexes.cycle.cycles)) == len(indexes.cycle.cycles)
    named = {name for chain in indexes.cycle.cycles for name in chain}
    assert named == set(needs) - {"d"} if "d" in needs and len(needs) == 5 else set(needs)
    assert indexes.files["modules.dep"].count(b"\n") == len(needs)


def test_what_is_not_ascii_stays_out_of_the_binary_indexes(tmp_path: Path) -> None:
    directory = a_tree(
        tmp_path, {"kernel/a.ko": a_module(name="a", modinfo=["alias=é", "alias=b"])}
    )

    indexes = build_indexes(str(directory))

    assert items(indexes.files["modules.alias.bin"]) == [("b", "a", 0)]
    assert "alias é a\n" in indexes.files["modules.alias"].decode()
    assert [problem.level for problem in indexes.problems] == ["WARNING"]


def test_rules_choose_among_files_and_external_paths_are_absolute(tmp_path: Path) -> None:
    directory = a_tree(
        tmp_path,
        {"kernel/a.ko": a_module(name="a"), "updates/a.ko": a_module(name="a")},
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more/b.ko").write_bytes(a_module(name="b"))

    files = build_indexes(str(directory), rules=SearchRules(externals=(f"{tmp_path}/more",))).files

    assert sorted(files["modules.dep"].decode().splitlines()) == [
        f"{tmp_path}/more/b.ko:",
        "updates/a.ko:",
    ]


def test_the_text_files_can_be_printed_one_after_another(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, {"kernel/a.ko": a_module(name="a")})

    lines = text_of(build_indexes(str(directory))).decode().splitlines()

    assert lines[0] == "kernel/a.ko:"
    assert [line[:8] for line in lines[1:]] == ["# Aliase", "# Soft d", "# Weak d", "# Aliase"]


def test_a_missing_tree_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoTreeError):
        build_indexes(str(tmp_path / "none"))


def test_only_the_files_that_are_named_are_indexed(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, chained({"user": ["owner"], "owner": [], "other": []}))
    wanted = [f"{directory}/kernel/{name}.ko" for name in ("owner", "user")]

    files = build_indexes(str(directory), files=wanted).files

    assert sorted(files["modules.dep"].decode().splitlines()) == [
        "kernel/owner.ko:",
        "kernel/user.ko: kernel/owner.ko",
    ]


def test_an_alias_that_a_module_has_twice_is_a_problem_if_asked_for(tmp_path: Path) -> None:
    twice = a_module(name="a", modinfo=["alias=x-y", "alias=x_y", "alias=z"])
    directory = a_tree(
        tmp_path, {"kernel/a.ko": twice, "kernel/b.ko": a_module(name="b", modinfo=["alias=z"])}
    )

    assert build_indexes(str(directory)).problems == ()
    (problem,) = build_indexes(str(directory), checks=Checks(duplicates=True)).problems

    assert (problem.level, problem.text) == ("WARNING", "duplicate module alias:\nx_y a")
    assert (problem.kind, problem.modules) == ("duplicate-alias", ("a",))


def test_a_prefix_does_not_count_before_a_symbol(tmp_path: Path) -> None:
    directory = a_tree(
        tmp_path,
        {
            "kernel/a.ko": a_module(name="a", exports=[AnExport(name="_open")]),
            "kernel/b.ko": a_module(name="b", imports=["open"]),
            "kernel/c.ko": a_module(name="c", imports=["._open"]),
        },
        order=["kernel/a.ko", "kernel/b.ko", "kernel/c.ko"],
    )

    indexes = build_indexes(str(directory), checks=Checks(symbol_prefix="_"))

    assert indexes.files["modules.symbols"].endswith(b"\nalias symbol:open a\n")
    assert [(user.name, symbol, owner.name) for user, symbol, owner in indexes.uses()] == [
        ("b", "open", "a"),
        ("c", "open", "a"),
    ]
    without = build_indexes(str(directory))
    assert [user.name for user, _, _ in without.uses()] == ["c"]
