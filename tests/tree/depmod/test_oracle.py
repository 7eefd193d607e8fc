"""The indexes of lkm against those of Debian's kmod.

kmod 30 lays its binary indexes out in another order than kmod 34 and lkm, so those are compared by
what they hold. Whole kernels: ``tests/oracle/whole.py``.
"""

from __future__ import annotations

import lzma
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lkm.tree.depmod.indexes import Indexes, build_indexes
from lkm.tree.scan.search import Override, SearchRules
from lkm.tree.trie.index import TrieIndex
from tests.builders.elf import AnExport, a_module
from tests.tree.trees import RELEASE, a_tree, chained

pytestmark = pytest.mark.oracle

# kmod 30 does not know weak dependencies.
UNKNOWN_TO_KMOD = {"modules.weakdep"}


def kmods_depmod(kmod: Path, root: Path, *options: str, release: str = RELEASE) -> str:
    """Run kmod's depmod; return what it says on stderr."""
    command = [str(kmod.parent / "depmod"), "-b", str(root), *options, release]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done
    return done.stderr


def assert_equal(indexes: Indexes, directory: Path) -> None:
    """Compare every file with the one in *directory*: text by bytes, binary by what it holds."""
    for name, data in indexes.files.items():
        if name in UNKNOWN_TO_KMOD:
            continue
        theirs = (directory / name).read_bytes()
        if not name.endswith(".bin"):
            assert data == theirs, name
        elif theirs:
            assert items(data) == items(theirs), name
        else:  # what kmod writes where the build left no list of built-in modules
            assert items(data) == [], name


def items(data: bytes) -> list[tuple[str, str, int]]:
    return list(TrieIndex.from_bytes(data).items())


def said(indexes: Indexes) -> str:
    return "".join(f"depmod: {problem.level}: {problem.text}\n" for problem in indexes.problems)


ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"

Tree = Mapping[str, object]

A_AND_B = {
    "kernel/a.ko": a_module(name="a", exports=[AnExport(name="a_open", crc=7)]),
    "kernel/b-c.ko": a_module(name="b_c", imports=["a_open", "printk"]),
}
TREES: dict[str, Tree] = {
    "plain": {"files": A_AND_B, "order": ["kernel/b-c.ko", "kernel/a.ko"]},
    "no order file": {"files": A_AND_B, "order": None},
    "an order file cut off": {"files": A_AND_B, "order": b"kernel/b-c.ko\nkernel/a.ko"},
    "nothing from the build": {
        "files": A_AND_B,
        "order": None,
        "builtin": None,
        "builtin_modinfo": None,
    },
    "no module at all": {"files": {}},
    "updates": {
        "files": {
            **A_AND_B,
            "updates/dkms/a.ko": a_module(name="a", exports=[AnExport(name="a_close")]),
            "kernel/zz/b_c.ko": a_module(name="b_c", modinfo=["alias=other"]),
        }
    },
    "compressed": {
        "files": {
            # Debian's kmod is built without gzip.
            "kernel/a.ko.xz": lzma.compress(A_AND_B["kernel/a.ko"]),
            "kernel/b-c.ko.xz": lzma.compress(A_AND_B["kernel/b-c.ko"], check=lzma.CHECK_CRC32),
            "updates/d.ko": a_module(name="d", imports=["a_open"]),
        },
        "order": ["kernel/b-c.ko", "updates/d.ko", "kernel/a.ko"],
    },
    "a chain and a fan": {
        "files": chained(
            {
                "top": ["left", "right", "deep"],
                "left": ["base", "deep"],
                "right": ["base"],
                "base": [],
                "deep": ["right"],
                "alone": [],
                "second": ["deep", "left"],
            }
        ),
        "order": None,
    },
    "weak symbols": {
        "files": {
            "kernel/user.ko": a_module(name="user", weak_imports=["a_open", "nowhere"]),
            **A_AND_B,
        }
    },
    "versions only": {
        "files": {"kernel/user.ko": a_module(name="user", versions={"a_open": 7}), **A_AND_B}
    },
    "two owners": {
        "files": {
            "kernel/a.ko": a_module(name="a", exports=[AnExport(name="same")]),
            "kernel/b.ko": a_module(name="b", exports=[AnExport(name="same", crc=3)]),
            "kernel/user.ko": a_module(name="user", imports=["same"]),
        }
    },
    "symbols with dots": {
        "files": {
            "kernel/a.ko": a_module(name="a", exports=[AnExport(name="open")]),
            "kernel/user.ko": a_module(name="user", imports=[".open"]),
        }
    },
    "aliases": {
        "files": {
            "kernel/x-1.ko": a_module(
                name="x_1",
                modinfo=[
                    "alias=pci:v-1d*[a-f]",
                    "alias=bad[",
                    "alias=",
                    "alias=same",
                    "alias=same",
                    "alias=of:N*T*Cfoo,bar",
                    "softdep=pre: a-b post: c",
                    "softdep=",
                    "alias=devname:net/tun",
                    "alias=char-major-10-*",
                    "alias=char-major-10-200",
                    "alias=block-major-7-1",
                ],
            ),
            "kernel/y.ko": a_module(name="y", modinfo=["alias=same", "alias=devname:y"]),
            "kernel/z.ko": a_module(
                name="z", modinfo=["alias=devname:z", "alias=block-major-010-9x"]
            ),
        }
    },
    "built-in": {
        "files": {},
        "builtin": ["kernel/fs/foo-bar.ko", "kernel/1x.ko", "1/z.ko", "kernel/x/zed.ko"],
        "builtin_modinfo": [
            "zed.alias=net-1",
            "foo_bar.alias=net-1",
            "nodot=1",
            "zed.license=GPL",
            "zed.alias=q[",
            "x.alias=a",
        ],
    },
    "broken files": {
        "files": {
            **A_AND_B,
            "kernel/text.ko": b"this is no module",
            "kernel/empty.ko": b"",
            "kernel/half.ko": A_AND_B["kernel/a.ko"][:700],
        },
        "order": None,
    },
    "other machines": {
        "files": {
            "kernel/a.ko": a_module(name="a", exports=[AnExport(name="q")], bits=32, machine=3),
            "kernel/b.ko": a_module(name="b", imports=["q"], bits=64, order=">", machine=22),
        }
    },
}


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES.keys())
def test_a_small_tree_has_the_same_indexes_and_the_same_warnings(
    tmp_path: Path, kmod: Path, tree: Tree
) -> None:
    directory = a_tree(tmp_path, **tree)  # type: ignore[arg-type]  # a_tree's own keywords
    complaints = kmods_depmod(kmod, tmp_path)

    indexes = build_indexes(str(directory))

    assert_equal(indexes, directory)
    assert said(indexes) == complaints


def test_a_tree_compressed_by_zstd_has_the_same_indexes(tmp_path: Path, kmod: Path) -> None:
    compress = pytest.importorskip(ZSTD).compress
    files = {f"{path}.zst": compress(data) for path, data in A_AND_B.items()}
    directory = a_tree(tmp_path, files, order=list(A_AND_B))
    assert kmods_depmod(kmod, tmp_path) == ""

    assert_equal(build_indexes(str(directory)), directory)


def test_links_are_followed_as_kmod_does(tmp_path: Path, kmod: Path) -> None:
    directory = a_tree(tmp_path, A_AND_B)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/c.ko").write_bytes(a_module(name="c", imports=["a_open"]))
    (directory / "extra").symlink_to(tmp_path / "more")
    (directory / "d.ko").symlink_to("kernel/a.ko")
    (directory / "gone.ko").symlink_to("nowhere")
    (directory / "build").symlink_to(tmp_path)
    (directory / "source").symlink_to("kernel")
    kmods_depmod(kmod, tmp_path)

    assert_equal(build_indexes(str(directory)), directory)


RULES: dict[str, tuple[str, Callable[[Path], SearchRules]]] = {
    "search": ("search zz built-in updates", lambda _: SearchRules(("zz", "built-in", "updates"))),
    "built-in first": ("search built-in zz", lambda _: SearchRules(("built-in", "zz"))),
    "two lines": ("search zz\nsearch kernel", lambda _: SearchRules(("zz", "kernel"))),
    "override": (
        "search zz built-in\noverride one * kernel/old",
        lambda _: SearchRules(("zz", "built-in"), (Override("one", "kernel/old"),)),
    ),
    "two overrides": (
        "override one * zz\noverride one * kernel/old",
        lambda _: SearchRules((), (Override("one", "zz"), Override("one", "kernel/old"))),
    ),
    "exclude": ("exclude zz two.ko", lambda _: SearchRules(excludes=("zz", "two.ko"))),
    "external": (
        "external * {0}/e1\nexternal * {0}/e2\nsearch external built-in",
        lambda root: SearchRules(("external", "built-in"), externals=(f"{root}/e1", f"{root}/e2")),
    ),
    "external last": (
        "external * {0}/e2\nexternal * {0}/e1\nsearch zz built-in external",
        lambda root: SearchRules(
            ("zz", "built-in", "external"), externals=(f"{root}/e2", f"{root}/e1")
        ),
    ),
    "external unranked": (
        "external * {0}/e1\nexternal * {0}/e2",
        lambda root: SearchRules(externals=(f"{root}/e1", f"{root}/e2")),
    ),
}


@pytest.mark.parametrize(("config", "rules"), RULES.values(), ids=RULES.keys())
def test_the_same_of_several_files_wins(
    tmp_path: Path, kmod: Path, config: str, rules: Callable[[Path], SearchRules]
) -> None:
    def one(path: str) -> bytes:
        return a_module(name="one", modinfo=[f"alias={path}"])

    paths = ("kernel/old/one.ko", "kernel/new/one.ko", "zz/one.ko", "kernel/two.ko", "zz/three.ko")
    directory = a_tree(tmp_path, {path: one(path) for path in paths})
    for folder in ("e1", "e2"):
        (tmp_path / folder).mkdir()
        for name in ("one.ko", "four.ko"):
            (tmp_path / folder / name).write_bytes(one(f"{folder}/{name}"))
    (tmp_path / "depmod.conf").write_text(config.format(tmp_path) + "\n")
    kmods_depmod(kmod, tmp_path, "-C", f"{tmp_path}/depmod.conf")

    assert_equal(build_indexes(str(directory), rules=rules(tmp_path)), directory)


CYCLES: list[Mapping[str, str]] = [
    {"a": "b", "b": "a"},
    {"a": "a"},
    {"u": "a", "a": "b", "b": "ca", "c": ""},
    {"a": "bc", "b": "d", "c": "d", "d": "a"},
    {"h": "i", "a": "b", "d": "e", "b": "c", "c": "a", "e": "d", "i": "j", "j": "k", "k": "h"},
    {
        "k": "h",
        "b": "c",
        "e": "d",
        "f": "",
        "i": "j",
        "a": "b",
        "j": "k",
        "c": "a",
        "h": "i",
        "d": "e",
    },
]


@pytest.mark.parametrize("ordered", [True, False], ids=["ordered", "hashed"])
@pytest.mark.parametrize("needs", CYCLES, ids=str)
def test_cycles_are_told_in_the_same_words(
    tmp_path: Path, kmod: Path, needs: Mapping[str, str], *, ordered: bool
) -> None:
    graph = {f"mod_loop_{name}": [f"mod_loop_{n}" for n in deps] for name, deps in needs.items()}
    order = [f"kernel/{name}.ko" for name in graph] if ordered else None
    directory = a_tree(tmp_path, chained(graph), order=order)
    complaints = [
        line
        for line in kmods_depmod(kmod, tmp_path).splitlines()
        # kmod also calls a module a cycle that a cycle only leads to; it says so with one name.
        if " -> " in line
    ]

    cycle = build_indexes(str(directory)).cycle

    assert cycle is not None
    assert complaints == [
        f"depmod: ERROR: Cycle detected: {' -> '.join((*chain, chain[0]))}"
        for chain in cycle.cycles
    ]
