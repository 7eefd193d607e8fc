from __future__ import annotations

import pytest

from lkm.kernel.loaded import LoadedModule
from lkm.kernel.procfs import modules_text, parse_modules
from lkm.names import ModuleName

TM_DEP, TM_DEP2, TM_SLOW = ModuleName("tm_dep"), ModuleName("tm_dep2"), ModuleName("tm_slow")

# Lines of real kernels, recorded on Debian 6.1.0-56-amd64.
SEEN = """\
tm_exp 16384 2 tm_dep2,tm_dep, Live 0xffffffffc0201000 (OE)
tm_slow 28672 1 - Loading 0xffffffffc0201000 (OE+)
tm_slow 16384 -1 - Unloading 0xffffffffc0201000 (OE-)
tm_ok 16384 0 - Live 0x0000000000000000 (OE)
crc8 16384 0 - Live 0xffffffffc0201000
"""


def test_every_field_of_a_line_is_read() -> None:
    assert parse_modules(SEEN)[0] == LoadedModule(
        name=ModuleName("tm_exp"),
        size=16384,
        refcnt=2,
        holders=(TM_DEP2, TM_DEP),
        state="live",
        address=0xFFFFFFFFC0201000,
        taints="OE",
    )


def test_states_on_the_way_in_and_out_are_told_from_live() -> None:
    _exp, coming, going, *_rest = parse_modules(SEEN)

    assert (coming.state, coming.refcnt, coming.taints) == ("coming", 1, "OE")
    assert (going.state, going.refcnt, going.taints) == ("going", -1, "OE")


def test_an_address_of_zero_is_a_hidden_one() -> None:
    assert parse_modules(SEEN)[3].address is None


def test_a_module_without_taints_has_none() -> None:
    assert parse_modules(SEEN)[4].taints == ""


def test_a_permanent_module_is_told_from_a_user() -> None:
    (module,) = parse_modules("tm_noexit 16384 0 [permanent], Live 0xffffffffc0201000 (OE)\n")

    assert module.permanent
    assert module.holders == ()


def test_a_kernel_that_cannot_unload_has_no_refcnt() -> None:
    (module,) = parse_modules("loop 40960 - - Live 0xffffffffc0201000\n")

    assert module.refcnt is None
    assert module.holders == ()


def test_what_is_written_is_what_the_kernel_showed() -> None:
    permanent = "tm_noexit 16384 1 tm_ok,[permanent], Live 0xffffffffc0201000 (OE)\n"
    text = SEEN + permanent + "loop 40960 - - Live 0xffffffffc0201000\n"

    assert modules_text(parse_modules(text)) == text


def test_a_name_that_is_not_utf_8_comes_through() -> None:
    line = "caf\udce9 16384 0 - Live 0xffffffffc0201000\n"

    assert parse_modules(line)[0].name == "caf\udce9"


def names(text: str) -> list[str]:
    return [module.name for module in parse_modules(text)]


@pytest.mark.parametrize("size", range(len(SEEN)))
def test_of_a_text_cut_anywhere_the_whole_lines_are_read(size: int) -> None:
    whole = SEEN[:size].count("\n")

    assert parse_modules(SEEN[:size])[:whole] == parse_modules(SEEN)[:whole]
    assert len(parse_modules(SEEN[:size])) <= whole + 1


@pytest.mark.parametrize(
    ("line", "size", "refcnt", "state", "address"),
    [
        ("tm_ok", 0, None, "unknown", None),
        ("tm_ok 16384 0", 16384, 0, "unknown", None),
        ("tm_ok 16384 0 - Live", 16384, 0, "live", None),
        ("tm_ok big many - Live 0xffffffffc0201000", 0, None, "live", 0xFFFFFFFFC0201000),
        ("tm_ok 16384 0 - Alive 0xffffffffc0201000", 16384, 0, "unknown", 0xFFFFFFFFC0201000),
        ("tm_ok 16384 0 - Live somewhere", 16384, 0, "live", None),
        ("tm_ok 16384 0 - Live 0x10 (OE) more", 16384, 0, "live", 16),
    ],
)
def test_of_a_line_of_another_form_what_can_be_read_is_taken(
    line: str, size: int, refcnt: int | None, state: str, address: int | None
) -> None:
    (module,) = parse_modules(f"{line}\n")

    assert module.name == "tm_ok"
    assert (module.size, module.refcnt, module.state) == (size, refcnt, state)
    assert (module.address, module.taints) == (address, "OE" if "(OE)" in line else "")


def test_lines_without_a_word_are_passed_over() -> None:
    assert names("\na 1 0 - Live 0x0\n  \nb") == ["a", "b"]
