from __future__ import annotations

import pytest

from lkm._text import encode
from lkm.errors import FormatError
from lkm.module.modinfo import Parameter, nameless_parameters, parameters, parse_modinfo


def test_entries_keep_the_order_of_the_file() -> None:
    data = b"license=GPL\0alias=b\0alias=a\0depends=\0"

    assert parse_modinfo(data) == (
        ("license", "GPL"),
        ("alias", "b"),
        ("alias", "a"),
        ("depends", ""),
    )


def test_nuls_between_entries_are_passed_over_and_the_last_one_may_be_missing() -> None:
    assert parse_modinfo(b"\0\0a=1\0\0\0b=2") == (("a", "1"), ("b", "2"))
    assert parse_modinfo(b"") == ()


def test_only_the_first_equals_sign_divides() -> None:
    assert parse_modinfo(b"parm=x:a=b\0intree\0=odd\0") == (
        ("parm", "x:a=b"),
        ("intree", ""),
        ("", "odd"),
    )


def test_bytes_that_are_no_text_come_back_the_same() -> None:
    ((_key, author),) = parse_modinfo(b"author=J\xf6rg \xe2\x82\xac\0")

    assert author == "J\udcf6rg €"
    assert encode(author) == b"J\xf6rg \xe2\x82\xac"


def test_text_and_type_of_a_parameter_are_joined_in_order_of_first_mention() -> None:
    entries = parse_modinfo(
        b"parm=b:the second: really\0parmtype=a:int\0parmtype=b:charp\0parm=only:text\0"
    )

    assert parameters(entries) == (
        Parameter("b", "charp", "the second: really"),
        Parameter("a", "int", ""),
        Parameter("only", "", "text"),
    )


def test_a_parameter_without_a_colon_is_none() -> None:
    assert parameters((("parm", "broken"), ("license", "a:b"))) == ()


def test_parameters_without_a_colon_are_named() -> None:
    entries = (("parm", "broken"), ("parmtype", ""), ("parm", "a:b"), ("license", "GPL"))

    assert nameless_parameters(entries) == ("parm=broken", "parmtype=")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a=b\0" * 32769, "more than 32768 entries"),
        (b"a" + b"\0" * (1 << 17), "more than 32768 entries"),
        (b"a" * ((1 << 20) + 1), "of 1048577 bytes"),
    ],
    ids=["entries", "NULs", "bytes"],
)
def test_more_than_any_module_has_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem):
        parse_modinfo(data)


def test_twenty_times_what_real_modules_have_is_read() -> None:
    assert len(parse_modinfo(b"alias=pci:v00008086d00001229*\0" * 32768)) == 32768
