from __future__ import annotations

import struct

import pytest

from lkm.elf.file import ElfFile
from lkm.errors import FormatError
from lkm.module.symbols import (
    Export,
    Import,
    SymbolVersion,
    exports,
    imports,
    struct_name,
    versions,
)
from tests.builders.elf import (
    SHN_ABS,
    AnExport,
    ARelocation,
    ASection,
    ASymbol,
    a_module,
    an_elf,
)
from tests.module.modules import STRINGS, an_exporter, an_i386_exporter

KINDS = [(64, "<"), (64, ">"), (32, "<"), (32, ">")]
TWO = (
    AnExport(name="first", crc=0x1234_5678),
    AnExport(name="second", crc=0x8765_4321, namespace="SPACE"),
)


@pytest.mark.parametrize(("bits", "order"), KINDS)
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("crcs", ["absolute", "data"])
def test_entries_of_every_layout_give_the_same_exports(
    bits: int, order: str, relative: bool, crcs: str
) -> None:
    data = an_exporter(TWO, bits=bits, order=order, relative=relative, crcs=crcs)

    assert exports(ElfFile.from_bytes(data)) == (
        Export("first", 0x1234_5678),
        Export("second", 0x8765_4321, namespace="SPACE"),
    )


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_entries_from_before_namespaces_have_none(bits: int, order: str) -> None:
    data = an_exporter(TWO, bits=bits, order=order, namespaces=False)

    assert [(each.name, each.namespace) for each in exports(ElfFile.from_bytes(data))] == [
        ("first", ""),
        ("second", ""),
    ]


def test_addends_in_place_are_heeded() -> None:
    data = an_i386_exporter(TWO)

    assert exports(ElfFile.from_bytes(data)) == (
        Export("first", 0x1234_5678),
        Export("second", 0x8765_4321),
    )


@pytest.mark.parametrize(
    ("table", "gpl_only"),
    [
        ("__ksymtab", False),
        ("__ksymtab_gpl", True),
        ("__ksymtab_unused", False),
        ("__ksymtab_unused_gpl", True),
        ("__ksymtab_gpl_future", False),
    ],
)
def test_the_table_tells_whether_the_licence_matters(table: str, gpl_only: bool) -> None:
    found = exports(ElfFile.from_bytes(an_exporter(TWO, table=table, crcs="data")))

    assert [each.gpl_only for each in found] == [gpl_only, gpl_only]
    assert [each.crc for each in found] == [0x1234_5678, 0x8765_4321]


def test_flags_beside_one_table_for_all_tell_it_in_newer_kernels() -> None:
    three = (*TWO, AnExport(name="third"))
    found = exports(ElfFile.from_bytes(an_exporter(three, relative=True, flags=b"\1\0")))

    assert [each.gpl_only for each in found] == [True, False, False]


def test_crcs_of_a_stripped_module_are_found_by_number() -> None:
    data = an_exporter(TWO, relative=True, crcs="data", stripped=True)

    assert [each.crc for each in exports(ElfFile.from_bytes(data))] == [0x1234_5678, 0x8765_4321]


def test_without_modversions_there_is_no_crc() -> None:
    plain = (AnExport(name="first"),)

    assert exports(ElfFile.from_bytes(an_exporter(plain, crcs=""))) == (Export("first"),)


def test_the_layout_of_todays_kernels_is_read() -> None:
    data = a_module(
        exports=[
            AnExport(name="open_to_all", crc=1, namespace="NS"),
            AnExport(name="gpl", crc=2, gpl_only=True),
        ]
    )

    assert exports(ElfFile.from_bytes(data)) == (
        Export("open_to_all", 1, namespace="NS"),
        Export("gpl", 2, gpl_only=True),
    )


def test_a_table_without_relocations_is_read_by_its_symbols() -> None:
    data = an_elf(
        [ASection("__ksymtab_gpl", bytes(24)), ASection(STRINGS, b"b\0\0a\0NS\0")],
        [
            ASymbol("__ksymtab_a", "__ksymtab_gpl", 12),
            ASymbol("__ksymtab_b", "__ksymtab_gpl", 0),
            ASymbol("__kstrtabns_a", STRINGS, 5),
            ASymbol("__kstrtabns_b", STRINGS, 2),
            ASymbol("__crc_a", SHN_ABS, 7),
        ],
    )

    assert exports(ElfFile.from_bytes(data)) == (
        Export("b", gpl_only=True),
        Export("a", 7, gpl_only=True, namespace="NS"),
    )


def test_a_module_without_tables_exports_nothing() -> None:
    assert exports(ElfFile.from_bytes(a_module())) == ()


def test_a_crc_outside_its_section_is_a_format_error() -> None:
    symbols = [ASymbol("__crc_a", "__kcrctab", 2)]
    data = an_elf([ASection("__ksymtab"), ASection("__kcrctab", bytes(4))], symbols)

    with pytest.raises(FormatError, match="a CRC at 2 of section 2"):
        exports(ElfFile.from_bytes(data))


def test_a_crc_in_a_section_that_is_not_there_is_a_format_error() -> None:
    data = an_elf([ASection("__ksymtab")], [ASymbol("__crc_a", 77, 0)])

    with pytest.raises(FormatError, match="section 77"):
        exports(ElfFile.from_bytes(data))


def test_a_name_outside_the_strings_is_a_format_error() -> None:
    data = an_elf(
        [ASection("__ksymtab", bytes(24)), ASection(STRINGS, b"x\0")],
        [ASymbol("", STRINGS, type=3), ASymbol("x")],
        {"__ksymtab": [ARelocation(0, "x"), ARelocation(8, "", 1, 99)]},
    )

    with pytest.raises(FormatError, match="a name at 99"):
        exports(ElfFile.from_bytes(data))


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_imports_are_the_undefined_symbols_in_table_order(bits: int, order: str) -> None:
    data = a_module(
        imports=["printk", "kfree"],
        weak_imports=["maybe"],
        versions={"module_layout": 9, "kfree": 0xFFFF_FFFF, "printk": 1},
        bits=bits,
        order=order,
    )
    elf = ElfFile.from_bytes(data)

    assert imports(elf) == (
        Import("printk", crc=1),
        Import("kfree", crc=0xFFFF_FFFF),
        Import("maybe", weak=True),
    )
    assert versions(elf) == (
        SymbolVersion("module_layout", 9),
        SymbolVersion("kfree", 0xFFFF_FFFF),
        SymbolVersion("printk", 1),
    )


@pytest.mark.parametrize("machine", [2, 43])
def test_registers_that_sparc_declares_are_no_imports(machine: int) -> None:
    symbols = [ASymbol("%g2", type=13), ASymbol("printk")]
    data = an_elf([], symbols, machine=machine, order=">")

    assert imports(ElfFile.from_bytes(data)) == (Import("printk"),)


def test_the_dot_of_a_function_on_old_powerpc_is_dropped_from_its_version() -> None:
    data = a_module(imports=[".printk"], versions={".printk": 5}, order=">", machine=21)
    elf = ElfFile.from_bytes(data)

    assert versions(elf) == (SymbolVersion("printk", 5),)
    assert imports(elf) == (Import(".printk", crc=5),)


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_long_names_have_their_crcs_in_the_extended_tables(bits: int, order: str) -> None:
    long_name = "a_rust_symbol_" * 10
    extra = [
        ASection("__version_ext_crcs", struct.pack(order + "3I", 1, 2, 3)),
        ASection("__version_ext_names", b"module_layout\0" + long_name.encode() + b"\0printk\0"),
    ]
    data = a_module(
        imports=[long_name], versions={"printk": 3}, extra=extra, bits=bits, order=order
    )
    elf = ElfFile.from_bytes(data)

    assert versions(elf) == (
        SymbolVersion("module_layout", 1),
        SymbolVersion(long_name, 2),
        SymbolVersion("printk", 3),
    )
    assert imports(elf) == (Import(long_name, crc=2),)


def test_extended_tables_of_different_lengths_give_what_both_have() -> None:
    extra = [
        ASection("__version_ext_crcs", struct.pack("<2I", 1, 2) + b"\1"),
        ASection("__version_ext_names", b"a\0b\0c\0"),
    ]

    elf = ElfFile.from_bytes(a_module(extra=extra))
    assert versions(elf) == (SymbolVersion("a", 1), SymbolVersion("b", 2))


def test_half_a_version_at_the_end_is_left_out() -> None:
    whole = struct.pack("<Q56s", 7, b"printk")
    elf = ElfFile.from_bytes(a_module(extra=[ASection("__versions", whole + whole[:40])]))

    assert versions(elf) == (SymbolVersion("printk", 7),)


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_the_kernel_calls_a_module_by_the_name_in_its_struct(bits: int, order: str) -> None:
    elf = ElfFile.from_bytes(a_module(name="snd_pcm", bits=bits, order=order))

    assert struct_name(elf) == "snd_pcm"
    assert struct_name(ElfFile.from_bytes(an_elf())) == ""


def test_crcs_in_sections_that_lie_over_each_other_are_refused() -> None:
    sections = [ASection("__ksymtab"), *(ASection(f"s{number}", bytes(4)) for number in range(99))]
    symbols = [ASymbol(f"__crc_{number}", 2 + number) for number in range(99)]
    data = bytearray(an_elf(sections, symbols))
    (table,) = struct.unpack_from("<Q", data, 40)
    for number in range(99):
        struct.pack_into("<QQ", data, table + (2 + number) * 64 + 24, 0, len(data))

    with pytest.raises(FormatError, match="larger than the file"):
        exports(ElfFile.from_bytes(bytes(data)))
