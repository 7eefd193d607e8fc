from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lkm.elf.constants import SHT_NOTE
from lkm.errors import FormatError
from lkm.module.facts import Module
from lkm.module.quick_modinfo import QuickReader, ShownFacts
from tests.builders.elf import ASection, a_module
from tests.module.modules import a_pkcs7, a_record
from tests.module.test_facts import BUILD_ID, DATA, SIGNED
from tests.module.test_scan import KINDS

QUICK = (64, "<")


def written(folder: Path, data: bytes) -> str:
    path = folder / "m.ko"
    path.write_bytes(data)
    return str(path)


def quick(path: str) -> ShownFacts | None:
    return QuickReader().facts(path)


def general(path: str) -> ShownFacts:
    with Module.open(path) as module:
        return ShownFacts(module.modinfo, module.build_id, module.signature)


@pytest.mark.parametrize("data", [DATA, SIGNED], ids=["unsigned", "signed"])
def test_the_quick_way_and_the_general_one_say_the_same(tmp_path: Path, data: bytes) -> None:
    path = written(tmp_path, data)

    facts = quick(path)

    assert facts == general(path)
    assert facts is not None
    assert facts.build_id == BUILD_ID


def test_build_id_and_signature_are_left_out_where_nobody_wants_them(tmp_path: Path) -> None:
    path = written(tmp_path, SIGNED)

    facts = QuickReader(whole=False).facts(path)

    assert facts == ShownFacts(general(path).modinfo, None, None)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != QUICK])
def test_other_classes_and_byte_orders_are_left_to_the_general_way(
    tmp_path: Path, kind: tuple[int, str]
) -> None:
    bits, order = kind
    assert quick(written(tmp_path, a_module(bits=bits, order=order))) is None


def test_what_is_no_such_file_is_left_to_the_general_way(tmp_path: Path) -> None:
    assert quick(str(tmp_path / "none.ko")) is None
    assert quick(str(tmp_path)) is None
    assert quick("/dev/null") is None
    assert quick(written(tmp_path, b"")) is None
    assert quick(written(tmp_path, b"\x1f\x8b" + bytes(100))) is None


def test_a_file_cut_anywhere_is_left_to_the_general_way_or_has_lost_its_signature(
    tmp_path: Path,
) -> None:
    for size in range(len(SIGNED)):
        path = written(tmp_path, SIGNED[:size])
        facts = quick(path)
        if facts is not None:
            assert size >= len(DATA)
            assert facts == general(path)


def test_with_any_byte_changed_it_says_what_the_general_way_says_or_nothing(tmp_path: Path) -> None:
    answered = 0
    reader = QuickReader()  # which remembers a signature
    for index in range(len(SIGNED)):
        changed = bytearray(SIGNED)
        changed[index] ^= 0xFF
        path = written(tmp_path, bytes(changed))
        facts = reader.facts(path)
        if facts is not None:
            answered += 1
            assert facts == general(path)
    assert 0 < answered < len(SIGNED)


@pytest.mark.parametrize("size", [0, 300, 3000, 70_000])
def test_the_facts_may_stand_anywhere_in_the_file(tmp_path: Path, size: int) -> None:
    before = [ASection(".before", bytes(size))]
    path = written(
        tmp_path, a_module(extra=before, modinfo=["x=" + "y" * size]) + bytes(min(size, 60_000))
    )

    assert quick(path) == general(path)


def test_what_stands_too_far_from_the_end_is_left_to_the_general_way(tmp_path: Path) -> None:
    message = a_pkcs7(signature=bytes(range(256)) * 300)
    path = written(tmp_path, DATA + a_record(signature=message))

    assert quick(path) is None
    assert general(path).signature is not None


def test_two_sections_of_one_name_are_left_to_the_general_way(tmp_path: Path) -> None:
    path = written(tmp_path, a_module(extra=[ASection(".modinfo", b"license=other\0", SHT_NOTE)]))

    assert quick(path) in (None, general(path))


def test_without_its_build_id_a_module_is_told_all_the_same(tmp_path: Path) -> None:
    with Module.open(written(tmp_path, DATA)) as module:
        section = module.elf.section(".note.gnu.build-id")
    assert section is not None
    (table,) = struct.unpack_from("<Q", DATA, 0x28)
    changed = bytearray(DATA)
    changed[table + section.index * 64 + 0x18 + 7] ^= 0x40  # sh_offset, far behind the end

    path = written(tmp_path, bytes(changed))

    assert quick(path) is None
    with Module.open(path) as module:
        assert module.build_id is None
        assert module.modinfo == general(written(tmp_path, DATA)).modinfo


@pytest.mark.debian
def test_on_a_real_kernel_it_answers_for_every_module(debian_root: Path) -> None:
    paths = [str(path) for path in debian_root.rglob("*.ko")]
    reader = QuickReader()

    assert len(paths) > 1000
    for path in paths:
        assert reader.facts(path) == general(path)


def test_the_general_way_refuses_what_the_quick_one_left(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        general(written(tmp_path, DATA[:200]))


def test_more_entries_than_any_module_has_are_refused_in_both_ways(tmp_path: Path) -> None:
    path = written(tmp_path, a_module(modinfo=["alias=x"] * 33000))

    assert quick(path) is None
    with pytest.raises(FormatError, match="more than 32768 entries") as caught:
        general(path)
    assert caught.value.path == path
