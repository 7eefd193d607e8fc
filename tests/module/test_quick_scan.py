from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.cache import FileIdentity
from lkm.errors import FormatError
from lkm.module.quick_elf import identity_at
from lkm.module.quick_scan import quick_facts
from lkm.module.scan import scan_file
from tests.builders.elf import ASymbol, a_module
from tests.module.test_scan import KINDS, a_full_module

if TYPE_CHECKING:
    from lkm.module.scanned import Facts, Identity

QUICK = (64, "<")


def written(folder: Path, data: bytes) -> str:
    path = folder / "m.ko"
    path.write_bytes(data)
    return str(path)


def quickly(path: str) -> Facts | None:
    found = quick_facts(path)
    return None if found is None else found[1]


def test_the_quick_way_and_the_general_one_say_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, a_full_module(*QUICK))

    quick = quickly(path)

    assert quick == scan_file(path).facts
    assert quick is not None
    assert quick[2] == b"printk\0kfree\0maybe\0module_layout"


def test_it_tells_which_state_of_the_file_it_has_read(tmp_path: Path) -> None:
    path = written(tmp_path, a_full_module(*QUICK))

    quick = quick_facts(path)

    assert quick is not None
    assert FileIdentity.of(path) == identity_of(quick[0])
    assert quick[0] == identity_at(path)
    assert identity_at(str(tmp_path / "none")) is None


def identity_of(identity: Identity) -> FileIdentity:
    device, inode, size, mtime, ctime = identity
    return FileIdentity(device, inode, size, mtime, ctime)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != QUICK])
def test_other_classes_and_byte_orders_are_left_to_the_general_way(
    tmp_path: Path, kind: tuple[int, str]
) -> None:
    assert quick_facts(written(tmp_path, a_full_module(*kind))) is None


def test_what_is_no_such_file_is_left_to_the_general_way(tmp_path: Path) -> None:
    assert quick_facts(str(tmp_path / "none.ko")) is None
    assert quick_facts(str(tmp_path)) is None
    assert quick_facts(written(tmp_path, b"")) is None
    assert quick_facts(written(tmp_path, b"\x1f\x8b" + bytes(100))) is None


def test_a_file_cut_anywhere_is_left_to_the_general_way(tmp_path: Path) -> None:
    data = a_full_module(*QUICK)
    for size in range(len(data)):
        assert quick_facts(written(tmp_path, data[:size])) is None


def test_with_any_byte_changed_it_says_what_the_general_way_says_or_nothing(tmp_path: Path) -> None:
    data = a_full_module(*QUICK)
    answered = 0
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 0xFF
        path = written(tmp_path, bytes(changed))
        quick = quickly(path)
        if quick is not None:
            answered += 1
            assert quick == scan_file(path).facts
    assert 0 < answered < len(data)


def test_an_undefined_symbol_among_the_local_ones_is_found(tmp_path: Path) -> None:
    data = a_module(extra_symbols=[ASymbol("hidden", bind=0)], imports=["seen"])

    path = written(tmp_path, data)

    assert quickly(path) == scan_file(path).facts
    assert set(scan_file(path).needs) == {"seen", "hidden"}


@pytest.mark.debian
def test_on_a_real_kernel_it_answers_for_every_module(debian_root: Path) -> None:
    paths = [str(path) for path in debian_root.rglob("*.ko")]

    assert len(paths) > 1000
    for path in paths:
        assert quickly(path) == scan_file(path).facts


def test_the_general_way_refuses_what_the_quick_one_left(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        scan_file(written(tmp_path, a_full_module(*QUICK)[:200]))
