"""Needs that nobody meets."""

from __future__ import annotations

from pathlib import Path

from lkm.tree.depmod.indexes import Checks, build_indexes
from lkm.tree.depmod.kernel_symbols import KernelSymbols
from tests.builders.elf import AnExport, a_module
from tests.tree.trees import a_tree

USER = a_module(
    name="user",
    imports=["printk", "owned", "nowhere", ".dotted"],
    weak_imports=["weak_nowhere", "weak_other"],
    versions={"printk": 1, "owned": 2, "nowhere": 3, "module_layout": 4, "weak_other": 5},
)
OWNER = a_module(name="owner", exports=[AnExport(name="owned", crc=2)])


def said(tmp_path: Path, kernel: KernelSymbols) -> list[tuple[str, str]]:
    directory = a_tree(tmp_path, {"kernel/user.ko": USER, "kernel/owner.ko": OWNER})
    checks = Checks(kernel=kernel)
    problems = build_indexes(str(directory), checks=checks).problems
    assert {(one.path, one.modules) for one in problems} <= {
        (f"{directory}/kernel/user.ko", ("user",))
    }
    return [(one.kind, one.text.partition("/kernel/user.ko ")[2]) for one in problems]


def test_what_neither_modules_nor_the_kernel_offer_is_told(tmp_path: Path) -> None:
    kernel = KernelSymbols({"printk": 0, "dotted": 0, "weak_other": 0}, has_crcs=False)

    assert said(tmp_path, kernel) == [
        ("unknown-symbol", "needs unknown symbol nowhere"),
        ("unknown-symbol", "needs unknown symbol module_layout"),
    ]


def test_versions_are_compared_where_the_kernels_are_known(tmp_path: Path) -> None:
    kernel = KernelSymbols(
        # A module's own version of a symbol counts, not the kernel's; and a weak need is let be.
        {"printk": 9, "dotted": 0, "owned": 7, "nowhere": 3, "weak_other": 6, "module_layout": 4},
        has_crcs=True,
    )

    assert said(tmp_path, kernel) == [
        ("symbol-version", "disagrees about version of symbol printk")
    ]


def test_without_the_kernels_symbols_nothing_is_told(tmp_path: Path) -> None:
    directory = a_tree(tmp_path, {"kernel/user.ko": USER})

    assert build_indexes(str(directory)).problems == ()
