"""What the patterns of differences.toml may touch, and what a case's own table may leave open."""

from __future__ import annotations

import pytest

from tests.oracle.cases import Expected
from tests.oracle.declared import DIFFERENCES, as_told, unused
from tests.oracle.seen import Seen, problems_between

_REWRITING = [each for each in DIFFERENCES if each.stream == "line"]
_KMOD = Seen(0, b"one\n", b"", (), {"a": b"1", "x.bin": (("k", "v", 0),)}, {"a": "6", "x.bin": "6"})


def _rewritten(line: str) -> set[str]:
    return {each.line(line) for each in _REWRITING} - {line}


@pytest.mark.parametrize(
    "line",
    [
        "/prog/modprobe -n --remove-holders --show-alias x",
        "kmod modprobe -n lone",
        "ln -s /prog/modprobe X; ./X -n lone",
        "cat /etc/modprobe.d/a.conf -n",
        "echo modprobe -n; echo insmod -v --force x",
        "/prog/insmod -v x; kmod insmod --force x",
    ],
)
def test_a_tool_that_is_no_command_of_the_line_is_not_touched(line: str) -> None:
    assert not _rewritten(line)


@pytest.mark.parametrize(
    ("line", "rewritten"),
    [
        ("modprobe -n lone", "modprobe -v -n lone"),
        ("rm x; modprobe -n lone", "rm x; modprobe -v -n lone"),
        ("A=1 B='x y' modprobe -n lone", "A=1 B='x y' modprobe -v -n lone"),
        (
            "modprobe -d /etc/modprobe.d --show-al x",
            "modprobe -d /etc/modprobe.d --resolve-alias x",
        ),
        ("timeout 3 modprobe --remove-holders x", "timeout 3 modprobe -r --remove-holders x"),
        ("cd /case && insmod a.ko --force x", "cd /case && insmod a.ko -f x"),
    ],
)
def test_a_command_is_rewritten(line: str, rewritten: str) -> None:
    assert rewritten in _rewritten(line)


def test_what_a_case_does_not_tell_is_as_kmod_has_it() -> None:
    lkm = Seen(1, b"two\n", b"x", ("call",), {"a": b"2", "b": b""}, {"a": "6", "b": "6"})
    assert as_told(Expected(), _KMOD, lkm) == _KMOD
    assert len(problems_between(lkm, as_told(Expected(), _KMOD, lkm))) == 7


def test_what_a_case_tells_is_what_must_be_there() -> None:
    told = Expected(
        status=1,
        out_like="t.o\n",
        err="x",
        calls=("call",),
        files={"/a": False, "/x.bin": "k other value 3\n"},
        other_files=(r"\.tmp$",),
    )
    lkm = Seen(
        1,
        b"two\n",
        b"x",
        ("call",),
        {"x.bin": (("k", "other value", 3),), "b.tmp": b""},
        {"x.bin": "6", "b.tmp": "6"},
    )
    assert not problems_between(lkm, as_told(told, _KMOD, lkm))
    assert problems_between(_KMOD, as_told(told, _KMOD, _KMOD))
    wrong = Seen(1, b"two\n", b"x", ("call",), {"x.bin": (("k", "v", 3),)}, {"x.bin": "6"})
    assert len(problems_between(wrong, as_told(told, _KMOD, wrong))) == 1


def test_the_modes_of_files_count() -> None:
    strict = Seen(0, b"one\n", b"", (), _KMOD.files, {"a": "4", "x.bin": "6"})
    assert problems_between(strict, _KMOD) == ("mode of a: kmod 6, lkm 4",)


def test_a_difference_that_no_case_has_used_is_named() -> None:
    names = [each.id for each in DIFFERENCES]
    assert unused(names[1:]) == names[:1]
    assert not unused(names)
