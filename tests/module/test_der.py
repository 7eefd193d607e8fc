from __future__ import annotations

import pytest

from lkm.errors import FormatError
from lkm.module.der import (
    Element,
    integer_magnitude,
    object_identifier,
    parse_element,
    parse_elements,
)
from tests.module.modules import der


def test_an_element_has_a_tag_and_contents_and_ends_where_the_next_begins() -> None:
    assert parse_element(der(4, b"abc") + b"rest") == (Element(4, b"abc"), 5)


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 70_000])
def test_lengths_are_read_in_both_forms(size: int) -> None:
    element, end = parse_element(der(4, bytes(size)))

    assert len(element.contents) == size
    assert end == len(der(4, bytes(size)))


@pytest.mark.parametrize("size", range(len(der(0x30, der(4, bytes(200))))))
def test_an_element_cut_anywhere_is_a_format_error(size: int) -> None:
    with pytest.raises(FormatError):
        parse_element(der(0x30, der(4, bytes(200)))[:size])


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\x80\x00\x00",  # indefinite length
        b"\x30\x85\x01\x00\x00\x00\x00",  # a length of five bytes
        b"\x30\x84\xff\xff\xff\xff",
        b"\x1f\x81\x01\x00",  # a tag of two bytes
        b"\x04\xff",
    ],
)
def test_what_der_does_not_have_is_a_format_error(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_element(data)


def test_elements_follow_one_another() -> None:
    assert parse_elements(der(4, b"a") + der(2, b"\x05")) == (Element(4, b"a"), Element(2, b"\x05"))
    assert parse_elements(b"") == ()


def test_more_elements_than_anything_needs_are_refused() -> None:
    with pytest.raises(FormatError, match="too many"):
        parse_elements(der(5) * 1001)


@pytest.mark.parametrize(
    ("encoded", "dotted"),
    [
        ("608648016503040201", "2.16.840.1.101.3.4.2.1"),
        ("550403", "2.5.4.3"),
        ("2b0e03021a", "1.3.14.3.2.26"),
        ("00", "0.0"),
        ("883703", "2.999.3"),
    ],
)
def test_object_identifiers_are_shown_dotted(encoded: str, dotted: str) -> None:
    assert object_identifier(Element(6, bytes.fromhex(encoded))) == dotted


@pytest.mark.parametrize(
    "element",
    [Element(6, b""), Element(6, b"\x55\x84"), Element(4, b"\x55"), Element(6, b"\1" * 65)],
)
def test_what_is_no_object_identifier_is_a_format_error(element: Element) -> None:
    with pytest.raises(FormatError):
        object_identifier(element)


@pytest.mark.parametrize(
    ("contents", "magnitude"),
    [("00", ""), ("0080", "80"), ("1234", "1234"), ("ff", "01"), ("0000000001", "01")],
)
def test_an_integer_gives_the_bytes_of_its_magnitude(contents: str, magnitude: str) -> None:
    element = Element(2, bytes.fromhex(contents))

    assert integer_magnitude(element) == bytes.fromhex(magnitude)


def test_what_is_no_integer_is_a_format_error() -> None:
    for element in (Element(2, b""), Element(4, b"\x01")):
        with pytest.raises(FormatError):
            integer_magnitude(element)
