from __future__ import annotations

import contextlib
import struct
import zlib
from types import MappingProxyType

import pytest

from lkm.errors import FormatError
from lkm.vmlinux.answers import CouldNotTell, LayoutNotKnown, NotThere
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.certificates import parse_certificate
from lkm.vmlinux.exports import KernelExport
from lkm.vmlinux.facts import VmlinuxFacts
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.saved import load, save
from tests.builders.vmlinux import a_certificate

FULL = VmlinuxFacts(
    release="6.1.0-test",
    banner="Linux version 6.1.0-test (a\udcffb) #1",
    machine=62,
    is_64bit=True,
    order="<",
    vermagic="6.1.0-test SMP ",
    struct_module_size=896,
    type_count=100_750,
    exports=(
        KernelExport("printk", 0xFFFFFFFF, False, "", 0xFFFFFFFF81000000),
        KernelExport("hidden", None, True, "CRYPTO", None),
        KernelExport("zero", 0, False, "", 0),
    ),
    kallsyms=KernelSymbols(
        addresses=(0, 0x35000, 0xFFFFFFFF81000000, 0xFFFFFFFF81000000, 0x10),
        types="AATtd",
        names=("fixed_percpu_data", "gdt", "_text", "startup_64", "low"),
    ),
    config=MappingProxyType({"CONFIG_MODULES": "y", "CONFIG_EMPTY": ""}),
    certificates=(parse_certificate(a_certificate()), parse_certificate(a_certificate("b", 2))),
    btf=KernelBtf(100_750, frozenset({7, 8}), b"\0int\0a\xfb\0"),
)
EMPTY = VmlinuxFacts(
    release=None,
    banner=None,
    machine=None,
    is_64bit=False,
    order=">",
    vermagic=CouldNotTell("no vermagic"),
    struct_module_size=CouldNotTell("no BTF"),
    type_count=NotThere("no BTF"),
    exports=LayoutNotKnown("no sections"),
    kallsyms=NotThere("no KALLSYMS"),
    config=CouldNotTell(""),
    certificates=CouldNotTell("no list"),
    btf=NotThere("no BTF"),
)
NOTHING = VmlinuxFacts(
    release="",
    banner="",
    machine=0,
    is_64bit=True,
    order="<",
    vermagic="",
    struct_module_size=0,
    type_count=0,
    exports=(),
    kallsyms=KernelSymbols(addresses=(), types="", names=(), address_size=4),
    config=MappingProxyType({}),
    certificates=(),
    btf=KernelBtf(0, frozenset(), b""),
)


def read_all(facts: VmlinuxFacts) -> tuple[object, ...]:
    return (facts.exports, facts.kallsyms, facts.config, facts.certificates, facts.btf)


@pytest.mark.parametrize("facts", [FULL, EMPTY, NOTHING], ids=["full", "empty", "nothing"])
def test_facts_come_back_as_they_were_saved(facts: VmlinuxFacts) -> None:
    loaded = load(save(facts))

    assert loaded == facts
    assert read_all(loaded) == read_all(facts)
    assert loaded.order == facts.order
    assert save(loaded) == save(facts)


def test_answers_that_are_no_facts_keep_their_kind() -> None:
    loaded = load(save(EMPTY))

    assert type(loaded.exports) is LayoutNotKnown
    assert type(loaded.kallsyms) is NotThere
    assert type(loaded.config) is CouldNotTell


@pytest.mark.parametrize("facts", [FULL, EMPTY], ids=["full", "empty"])
def test_a_file_cut_anywhere_is_a_format_error(facts: VmlinuxFacts) -> None:
    whole = save(facts)
    for size in range(len(whole)):
        with pytest.raises(FormatError):
            load(whole[:size])


def test_a_file_with_any_byte_changed_is_a_format_error() -> None:
    whole = save(FULL)
    for place in range(len(whole)):
        with pytest.raises(FormatError):
            load(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])


def test_another_version_is_named() -> None:
    whole = bytearray(save(FULL))
    whole[8] = 9

    with pytest.raises(FormatError, match="version 9"):
        load(bytes(whole))


def with_right_checksum(data: bytes) -> bytes:
    return data[:12] + struct.pack("<I", zlib.crc32(data[16:])) + data[16:]


def test_a_file_made_to_deceive_is_a_format_error_when_it_is_read() -> None:
    whole = save(FULL)
    for place in range(16, len(whole)):
        for value in (0, 0x7F, 0xFF):
            changed = with_right_checksum(whole[:place] + bytes([value]) + whole[place + 1 :])
            with contextlib.suppress(FormatError):
                assert len(read_all(load(changed))) == 5


def test_a_part_that_unpacks_to_more_than_it_says_is_a_format_error() -> None:
    bomb = zlib.compress(bytes(10_000_000), 9)
    head = struct.pack("<BBHII", 1, 0, 0, len(bomb), 10)
    rest = b"".join([struct.pack("<BBHII", which, 3, 0, 0, 0) for which in range(2, 9)])
    body = head + rest + bomb
    data = struct.pack("<8sHHI", b"LKMFACTS", 1, 8, zlib.crc32(body)) + body

    with pytest.raises(FormatError, match="not of 10 bytes"):
        load(data)


def test_missing_parts_are_a_format_error() -> None:
    with pytest.raises(FormatError, match="missing"):
        load(struct.pack("<8sHHI", b"LKMFACTS", 1, 0, 0))


def test_facts_saved_before_there_was_a_part_for_btf_are_read_without_it() -> None:
    whole = save(FULL)
    heads = [whole[start : start + 12] for start in range(16, 16 + 9 * 12, 12)]
    kept = sum(struct.unpack("<BBHII", head)[3] for head in heads[:8])
    body = b"".join(heads[:8]) + whole[16 + 9 * 12 :][:kept]
    data = struct.pack("<8sHHI", b"LKMFACTS", 1, 8, zlib.crc32(body)) + body

    loaded = load(data)

    assert loaded.certificates == FULL.certificates
    assert isinstance(loaded.btf, CouldNotTell)
