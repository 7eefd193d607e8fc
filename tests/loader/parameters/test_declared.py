from __future__ import annotations

import pytest

from lkm.errors import FormatError
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.parameters.declared import Parameter, declared_parameters
from lkm.module.file import image_from_bytes
from tests.builders.elf import a_module
from tests.loader.examining import facts_of
from tests.loader.parameter_modules import DECLARED, a_parameter_module


def facts(data: bytes) -> ModuleFacts:
    return facts_of(image_from_bytes(data, name="tiny"), KernelFacts(release="6.1.0"))


def declared() -> dict[str, Parameter]:
    return {each.name: each for each in declared_parameters(facts(a_parameter_module()))}


def test_a_module_without_parameters_declares_none() -> None:
    assert declared_parameters(facts(a_module())) == ()


def test_parameters_keep_the_order_of_their_records() -> None:
    assert tuple(declared()) == tuple(DECLARED)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("num", "-1"),
        ("unum", "2"),
        ("small", "3"),
        ("yes", "Y"),
        ("inv", "Y"),
        ("list", "1,2"),
        ("large", "-5"),
        ("buffer", "abc"),
        ("name", "charps text"),
        ("two-words", "0x000002"),
        ("own", None),
    ],
)
def test_each_kind_shows_the_value_that_lies_in_the_file(name: str, shown: str | None) -> None:
    assert declared()[name].text == shown


def test_mode_and_danger_are_read() -> None:
    found = declared()

    assert {name: each.mode for name, each in found.items()} == {
        name: mode for name, (_ops, mode, _flags) in DECLARED.items()
    }
    assert [name for name, each in found.items() if each.unsafe] == ["danger"]


def test_an_array_knows_its_room_and_a_string_its_buffer() -> None:
    found = declared()

    assert (found["list"].most, found["list"].count, found["list"].counted) == (4, 2, True)
    assert found["buffer"].buffer == 8


def test_a_charp_that_points_nowhere_is_null() -> None:
    data = a_parameter_module()
    # The pointer's relocation goes to another place.
    section = next(each for each in facts(data).sections if each.name == ".rela.data")
    changed = bytearray(data)
    changed[section.offset : section.offset + 8] = (4).to_bytes(8, "little")

    found = {each.name: each for each in declared_parameters(facts(bytes(changed)))}

    assert found["name"].text == "(null)"


def test_a_record_that_leads_nowhere_is_a_format_error() -> None:
    data = a_parameter_module()
    section = next(each for each in facts(data).sections if each.name == ".rela__param")
    changed = bytearray(data)
    for at in range(16, section.size, 24):  # every addend
        place = section.offset + at
        changed[place : place + 8] = (1 << 40).to_bytes(8, "little")

    with pytest.raises(FormatError):
        declared_parameters(facts(bytes(changed)))
