from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lkm.elf.file import ElfFile
from lkm.errors import FileError, FormatError
from lkm.module.scan import scan, scan_file
from tests.builders.elf import AnExport, ASection, ASymbol, a_module, an_elf

KINDS = [(64, "<"), (64, ">"), (32, "<"), (32, ">")]


def a_full_module(bits: int = 64, order: str = "<") -> bytes:
    return a_module(
        modinfo=["alias=pci:v*"],
        exports=[AnExport(name="b", crc=2), AnExport(name="a", crc=1, gpl_only=True)],
        imports=["printk", "kfree"],
        weak_imports=["maybe"],
        versions={"module_layout": 9, "kfree": 8, "printk": 7},
        bits=bits,
        order=order,
    )


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_one_pass_gives_what_an_index_needs(tmp_path: Path, bits: int, order: str) -> None:
    path = tmp_path / "snd-pcm.ko"
    path.write_bytes(a_full_module(bits, order))

    module = scan_file(str(path), with_crcs=True)
    assert (module.path, module.name) == (str(path), "snd_pcm")
    assert module.modinfo[:2] == (("alias", "pci:v*"), ("license", "GPL"))
    assert (module.exports, module.crcs) == (("b", "a"), (2, 1))
    assert module.needs == ("printk", "kfree", "maybe", "module_layout")
    assert module.need_crcs == (7, 8, 0, 9)


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_crcs_may_be_values_or_words_and_need_no_export_table(bits: int, order: str) -> None:
    symbols = [
        ASymbol("x__crc_no", 0xFFF1, 5),
        ASymbol("__crc_absolute", 0xFFF1, 0xCAFE),
        ASymbol("__crc_undefined", 0, 3),
        ASymbol("__crc_word", ".data", 4),
    ]
    data = struct.pack(order + "II", 0, 0xBEEF)
    module = scan(
        ElfFile.from_bytes(an_elf([ASection(".data", data)], symbols, bits=bits, order=order)),
        with_crcs=True,
    )

    assert module.exports == ("absolute", "undefined", "word")
    assert module.crcs == (0xCAFE, 3, 0xBEEF)
    assert module.needs == ("__crc_undefined",)


def test_without_crcs_the_strings_of_the_export_table_count() -> None:
    elf = ElfFile.from_bytes(an_elf([ASection("__ksymtab_strings", b"one\0\0two\0")]))

    assert (scan(elf).exports, scan(elf, with_crcs=True).crcs) == (("one", "two"), (0, 0))


def test_registers_that_sparc_declares_are_not_needed() -> None:
    symbols = [ASymbol("%g2", type=13), ASymbol("printk")]

    sparc = ElfFile.from_bytes(an_elf([], symbols, machine=43, order=">"))
    assert scan(sparc).needs == ("printk",)
    assert scan(ElfFile.from_bytes(an_elf([], symbols))).needs == ("%g2", "printk")


def test_a_file_without_any_of_it_needs_and_offers_nothing() -> None:
    module = scan(ElfFile.from_bytes(an_elf([ASection(".text", b"x")])))

    assert (module.modinfo, module.exports, module.needs) == ((), (), ())


def test_a_file_cut_anywhere_is_a_format_error(tmp_path: Path) -> None:
    data = a_full_module()
    path = tmp_path / "cut.ko"
    for size in range(0, len(data), 3):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError) as caught:
            scan_file(str(path))
        assert caught.value.path == str(path)


def test_a_file_with_any_byte_changed_is_read_or_a_format_error() -> None:
    data = a_full_module()
    read = 0
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 0xFF
        try:
            scan(ElfFile.from_bytes(bytes(changed)))
        except FormatError:
            continue
        read += 1
    assert 0 < read < len(data)


def test_names_that_overlap_without_end_are_refused() -> None:
    symbols = [ASymbol(f"s{number}") for number in range(5000)]
    elf = ElfFile.from_bytes(an_elf([], symbols))
    strings = elf.section(".strtab")
    table = elf.section(".symtab")
    assert strings is not None
    assert table is not None
    data = bytearray(elf.data[:])
    data[strings.offset : strings.offset + strings.size - 1] = b"A" * (strings.size - 1)
    for number in range(1, 5001):
        start = strings.size - 4000 + number % 10
        struct.pack_into("<I", data, table.offset + 24 * number, start)

    with pytest.raises(FormatError, match="overlap without end"):
        scan(ElfFile.from_bytes(bytes(data)))


def test_a_name_of_megabytes_is_refused() -> None:
    elf = ElfFile.from_bytes(an_elf([], [ASymbol("A" * 5000)]))

    with pytest.raises(FormatError, match="a symbol's name"):
        scan(elf)


def test_a_file_that_is_not_there_is_a_file_error(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        scan_file(str(tmp_path / "none.ko"))
