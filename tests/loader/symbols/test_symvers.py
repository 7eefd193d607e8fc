from __future__ import annotations

import pytest

from lkm.errors import FormatError
from lkm.loader.facts import KernelSymbol
from lkm.loader.symbols.symvers import parse_symvers

SYMVERS = """\
0x92997ed8\t_printk\tvmlinux\tEXPORT_SYMBOL\t
0x00000000\tgpl\tvmlinux\tEXPORT_SYMBOL_GPL\t
0x12345678\tspaced\tvmlinux\tEXPORT_SYMBOL_NS_GPL\tUSB
0x12345679\tother\tdrivers/a/a\tEXPORT_SYMBOL\t
"""


def test_the_kernels_own_exports_are_read_and_modules_are_not() -> None:
    assert parse_symvers(SYMVERS) == (
        KernelSymbol(name="_printk", crc=0x92997ED8),
        KernelSymbol(name="gpl", crc_known=False, gpl_only=True),
        KernelSymbol(name="spaced", crc=0x12345678, gpl_only=True, namespace="USB"),
    )


def test_linux_5_4_had_the_namespace_before_the_owner() -> None:
    line = "0x12345678\tspaced\tUSB\tvmlinux\tEXPORT_SYMBOL_GPL\n"

    assert parse_symvers(line) == (
        KernelSymbol(name="spaced", crc=0x12345678, gpl_only=True, namespace="USB"),
    )


def test_the_oldest_kernels_had_three_fields() -> None:
    (symbol,) = parse_symvers("0x12345678\tprintk\tvmlinux\n")

    assert (symbol.name, symbol.crc, symbol.gpl_only) == ("printk", 0x12345678, False)


@pytest.mark.parametrize("size", range(len(SYMVERS)))
def test_a_text_cut_inside_a_line_is_a_format_error(size: int) -> None:
    cut = SYMVERS[:size]
    if not cut or cut.endswith("\n"):
        assert len(parse_symvers(cut)) == min(cut.count("\n"), 3)
        return
    with pytest.raises(FormatError):
        parse_symvers(cut)


@pytest.mark.parametrize(
    "line", ["word\n", "0xzz\ta\tvmlinux\n", "0x123456789\ta\tvmlinux\n", "-1\ta\tvmlinux\n"]
)
def test_a_line_of_another_form_is_a_format_error(line: str) -> None:
    with pytest.raises(FormatError, match=r"Module\.symvers"):
        parse_symvers(line)
