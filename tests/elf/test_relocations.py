from __future__ import annotations

import struct

import pytest

from lkm.elf.constants import EM_MIPS, SHT_REL
from lkm.elf.file import ElfFile
from lkm.elf.relocations import Relocation, read_relocations, relocations_of
from lkm.errors import FormatError
from tests.builders.elf import EM_X86_64, SHT_RELA, ARelocation, ASection, ASymbol, an_elf

KINDS = [(64, "<"), (64, ">"), (32, "<"), (32, ">")]
TEXT = ASection(".text", bytes(32))


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_relocations_with_addends_are_read_in_either_width_and_byte_order(
    bits: int, order: str
) -> None:
    wanted = {".text": [ARelocation(4, "b", 2, -4), ARelocation(12, "a", 1, 7)]}
    data = an_elf([TEXT], [ASymbol("a"), ASymbol("b")], wanted, bits=bits, order=order)
    elf = ElfFile.from_bytes(data)
    text = elf.section(".text")

    assert text is not None
    assert relocations_of(elf, text) == (Relocation(4, 2, 2, -4), Relocation(12, 1, 1, 7))


@pytest.mark.parametrize(("bits", "order"), KINDS)
def test_relocations_without_addends_have_addend_zero(bits: int, order: str) -> None:
    wide = bits == 64
    packed = struct.pack(order + ("QQ" if wide else "II"), 8, 1 << (32 if wide else 8) | 42)
    rel = ASection(".rel.text", packed, SHT_REL, link=".symtab", info=".text")
    elf = ElfFile.from_bytes(an_elf([TEXT, rel], [ASymbol("a")], bits=bits, order=order))

    assert read_relocations(elf, elf.sections[2]) == (Relocation(8, 42, 1),)


def test_little_endian_mips64_has_the_symbol_first() -> None:
    packed = struct.pack("<QIBBBBq", 16, 3, 0, 0, 0, 18, 5)
    rela = ASection(".rela.text", packed, SHT_RELA, link=".symtab", info=".text")
    elf = ElfFile.from_bytes(an_elf([TEXT, rela], machine=EM_MIPS))

    assert read_relocations(elf, elf.sections[2]) == (Relocation(16, 18, 3, 5),)


def test_a_section_without_relocations_has_none() -> None:
    elf = ElfFile.from_bytes(an_elf([TEXT], machine=EM_X86_64))

    assert relocations_of(elf, elf.sections[1]) == ()
    with pytest.raises(FormatError, match=r"\.text holds no relocations"):
        read_relocations(elf, elf.sections[1])


def test_half_a_relocation_is_a_format_error() -> None:
    rela = ASection(".rela.text", bytes(35), SHT_RELA, link=".symtab", info=".text")
    elf = ElfFile.from_bytes(an_elf([TEXT, rela]))

    with pytest.raises(FormatError, match="no whole number of relocations"):
        read_relocations(elf, elf.sections[2])


def test_relocation_sections_that_lie_over_each_other_are_refused() -> None:
    rela = ASection(".rela.text", bytes(240), SHT_RELA, link=".symtab", info=".text")
    others = [ASection(f".rela{number}", b"", SHT_RELA, info=1) for number in range(50)]
    data = bytearray(an_elf([TEXT, rela, *others]))
    (table,) = struct.unpack_from("<Q", data, 40)
    place = data[table + 2 * 64 + 24 : table + 2 * 64 + 40]
    for number in range(50):
        data[table + (3 + number) * 64 + 24 : table + (3 + number) * 64 + 40] = place
    elf = ElfFile.from_bytes(bytes(data))

    with pytest.raises(FormatError, match="larger than the file"):
        relocations_of(elf, elf.sections[1])
