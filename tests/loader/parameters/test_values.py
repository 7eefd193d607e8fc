"""What is set, shown, logged and answered; the lines are those of a real 6.1 (loader.md 4)."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from lkm.loader.checks import examine
from lkm.loader.facts import KernelFacts, KernelSymbol
from lkm.loader.parameters.declared import Parameter, declared_parameters
from lkm.loader.parameters.values import Conditions, Setting, set_parameters, words
from lkm.loader.taint import Taint
from lkm.module.file import image_from_bytes
from tests.builders.pkcs7 import signed
from tests.loader.examining import CERTIFICATE, KEY, a_kernel, facts_of
from tests.loader.parameter_modules import DECLARED, a_parameter_module

KERNEL = KernelFacts(release="6.1.0")


def outcome(given: str) -> tuple[int, list[str], dict[str, str | None]]:
    """Return the errno, the kernel's lines, and what the parameters show then."""
    module = facts_of(image_from_bytes(a_parameter_module(), name="tiny"), KERNEL)
    setting = Setting()
    findings = list(set_parameters("tm", declared_parameters(module), given, setting))
    numbers = [finding.errno for finding in findings if finding.refuses]
    log = [f"{line.level} {line.text}" for finding in findings for line in finding.log]
    return (numbers or [0])[-1], log, {name: each.text for name, each in setting.now.items()}


@pytest.mark.parametrize(
    ("given", "name", "shown"),
    [
        ("", "num", "-1"),
        ("num=7", "num", "7"),
        ("num=0x10", "num", "16"),
        ("num=010", "num", "8"),
        ("num=+3", "num", "3"),
        ("num=-2147483648", "num", "-2147483648"),
        ("num=1 num=2", "num", "2"),
        ("large=-9223372036854775808", "large", "-9223372036854775808"),
        ("yes=0", "yes", "N"),
        ("yes=off", "yes", "N"),
        ("yes=on", "yes", "Y"),
        ("yes=n yes", "yes", "Y"),
        ("inv=0", "inv", "N"),
        ("list=5", "list", "5"),
        ("list=5,6,7,8", "list", "5,6,7,8"),
        ("buffer=1234567", "buffer", "1234567"),
        ("buffer=", "buffer", ""),
        ('name="x y"', "name", "x y"),
        ('"name=x y"', "name", "x y"),
        ('name=""', "name", ""),
        ("name=a=b", "name", "a=b"),
        ("two_words=255", "two-words", "0x0000ff"),
        ("two-words=255", "two-words", "0x0000ff"),
        ("hidden=5", "hidden", "5"),
        ("num=4\tunum=5", "unum", "5"),
    ],
)
def test_what_is_given_is_what_is_shown(given: str, name: str, shown: str | None) -> None:
    number, log, now = outcome(given)

    assert (number, log) == (0, [])
    assert now[name] == shown


@pytest.mark.parametrize(
    ("given", "number", "log"),
    [
        ("num=abc", errno.EINVAL, ["3 tm: `abc' invalid for parameter `num'"]),
        (
            f"num={'9' * 5000}",
            errno.ERANGE,
            [f"3 tm: `{'9' * 5000}' invalid for parameter `num'"],
        ),
        ("num=1x", errno.EINVAL, ["3 tm: `1x' invalid for parameter `num'"]),
        ("num=", errno.EINVAL, ["3 tm: `' invalid for parameter `num'"]),
        ("num", errno.EINVAL, ["3 tm: `' invalid for parameter `num'"]),
        ("num=0x", errno.EINVAL, ["3 tm: `0x' invalid for parameter `num'"]),
        ("num=99999999999", errno.ERANGE, ["3 tm: `99999999999' invalid for parameter `num'"]),
        ("large=99999999999999999999", errno.ERANGE, None),
        ("small=256", errno.ERANGE, ["3 tm: `256' invalid for parameter `small'"]),
        ("unum=-1", errno.EINVAL, ["3 tm: `-1' invalid for parameter `unum'"]),
        ("yes=maybe", errno.EINVAL, ["3 tm: `maybe' invalid for parameter `yes'"]),
        ("inv", errno.EINVAL, ["3 tm: `' invalid for parameter `inv'"]),
        ("name", errno.EINVAL, ["3 tm: `' invalid for parameter `name'"]),
        (
            "buffer=12345678",
            errno.ENOSPC,
            [
                "3 buffer: string doesn't fit in 7 chars.",
                "3 tm: `12345678' too large for parameter `buffer'",
            ],
        ),
        (
            "list=1,2,3,4,5",
            errno.EINVAL,
            [
                "3 list: can only take 4 arguments",
                "3 tm: `1' invalid for parameter `list'",
            ],
        ),
        ("list=1,x", errno.EINVAL, ["3 tm: `1' invalid for parameter `list'"]),
        ("list=", errno.EINVAL, ["3 tm: `' invalid for parameter `list'"]),
        (f"name={'y' * 1025}", errno.ENOSPC, None),
        (
            "num = 3",
            errno.EINVAL,
            [
                "3 tm: `' invalid for parameter `num'",
                "4 tm: unknown parameter '=' ignored",
                "4 tm: unknown parameter '3' ignored",
            ],
        ),
        ("nosuch=1", 0, ["4 tm: unknown parameter 'nosuch' ignored"]),
        ("nosuch", 0, ["4 tm: unknown parameter 'nosuch' ignored"]),
        ("tm.num=4", 0, ["4 tm: unknown parameter 'tm' ignored"]),
        ("=5", 0, ["4 tm: unknown parameter '=5' ignored"]),
        ("num=2 -- rest of it", 0, ["4 tm: parameters 'rest of it' after `--' ignored"]),
        ("num=x -- rest", errno.EINVAL, ["3 tm: `x' invalid for parameter `num'"]),
        ("async_probe dyndbg=+p", 0, []),
        ("danger=1", 0, ["5 Setting dangerous option danger - tainting kernel"]),
    ],
)
def test_each_complaint_is_the_kernels(given: str, number: int, log: list[str] | None) -> None:
    answer, lines, _now = outcome(given)

    assert answer == number
    assert log is None or lines == log


def test_errors_do_not_stop_the_parser_and_the_last_one_is_the_answer() -> None:
    number, log, now = outcome("num=x unum=5 small=256")

    assert (number, len(log), now["unum"]) == (errno.ERANGE, 2, "5")


def test_words_are_cut_as_the_kernel_cuts_them() -> None:
    given = '  a=1  b "c=2 3" d="4 5" -- e f'
    assert [(name, value, given[at:]) for name, value, at in words(given)] == [
        ("a", "1", 'b "c=2 3" d="4 5" -- e f'),
        ("b", None, '"c=2 3" d="4 5" -- e f'),
        ("c", "2 3", 'd="4 5" -- e f'),
        ("d", "4 5", "-- e f"),
        ("--", None, "e f"),
        ("e", None, "f"),
        ("f", None, ""),
    ]
    assert list(words('a="never closed')) == [("a", "never closed", 15)]
    assert list(words("")) == []


def test_a_bad_value_refuses_the_module_and_an_unsafe_one_taints_the_kernel() -> None:
    image = image_from_bytes(
        signed(a_parameter_module(modinfo=("intree=Y", "retpoline=Y")), KEY, CERTIFICATE),
        name="tiny",
    )
    operations = {ops for ops, _mode, _flags in DECLARED.values() if ops.startswith("param_")}
    kernel = a_kernel(*[KernelSymbol(name=name) for name in operations], modversions=False)
    kernel = replace(kernel, vermagic=None)

    refused = examine(image, kernel, params="num=x")
    unsafe = examine(image, kernel, params="danger=1 gone=1")

    assert (refused.errno, refused.refusal and refused.refusal.check) == (errno.EINVAL, "parameter")
    assert refused.tainted == Taint(0)
    assert (unsafe.errno, unsafe.tainted, unsafe.taints) == (0, Taint.UNSAFE_PARAMETER, Taint(0))
    assert [line.text for line in unsafe.log] == [
        "Setting dangerous option danger - tainting kernel",
        "tiny: unknown parameter 'gone' ignored",
    ]


def test_without_dynamic_debugging_a_name_with_dots_is_unknown_as_a_whole() -> None:
    """As user-mode Linux 6.1.176 told it."""
    given = "dyndbg=+p async_probe tm.num=3 tm.dyndbg a.b.c=1"

    findings = list(set_parameters("tm", (), given, Setting(), Conditions(dynamic_debug=False)))

    assert [line.text for finding in findings for line in finding.log] == [
        "dyndbg param is supported only in CONFIG_DYNAMIC_DEBUG builds",
        *[f"tm: unknown parameter '{name}' ignored" for name in ("tm.num", "tm.dyndbg", "a.b.c")],
    ]
    assert not any(finding.refuses for finding in findings)


def test_of_the_modules_own_code_no_answer_is_claimed() -> None:
    module = facts_of(image_from_bytes(a_parameter_module(), name="tiny"), KERNEL)
    setting = Setting()

    (doubt,) = set_parameters("tm", declared_parameters(module), "own=anything", setting)

    assert (doubt.check, doubt.errno, doubt.could_not_tell) == ("parameter", 0, True)
    assert "anything" in doubt.evidence
    assert setting.now["own"].text is None


@pytest.mark.parametrize(
    ("takes_nothing", "number", "doubtful"),
    [(False, errno.EINVAL, False), (True, 0, True), (None, 0, True)],
)
def test_whether_the_own_code_takes_nothing_is_told_by_its_operations(
    takes_nothing: bool | None, number: int, doubtful: bool
) -> None:
    own = Parameter(
        name="own", type="", mode=0, unsafe=False, values=None, takes_nothing=takes_nothing
    )

    (found,) = set_parameters("tm", (own,), "own", Setting())

    assert (found.errno, found.could_not_tell) == (number, doubtful)


@pytest.mark.parametrize("kind", ["int", ""])
def test_a_lock_down_refuses_what_is_about_hardware(kind: str) -> None:
    """As a real kernel answered for mwave (``params-hardware-locked``)."""
    irq = Parameter(name="irq", type=kind, mode=0, unsafe=True, values=None, hardware=True)

    (found,) = set_parameters("tm", (irq,), "irq=5", Setting(), Conditions(locked_down=True))
    (bare,) = set_parameters("tm", (irq,), "irq", Setting(), Conditions(locked_down=True))

    assert (found.errno, found.kernel_taint, bare.errno) == (errno.EPERM, Taint(0), errno.EINVAL)
    assert [f"{line.level} {line.text}" for line in found.log] == [
        "5 Lockdown: modprobe: unsafe module parameters is restricted; see man kernel_lockdown.7",
        "3 tm: `5' invalid for parameter `irq'",
    ]


def test_what_can_only_be_set_is_not_unset() -> None:
    kept = Parameter(
        name="kept", type="bool_enable_only", mode=0, unsafe=False, values=("N", "Y"), most=2
    )

    (found,) = set_parameters("tm", (kept,), "kept=n,n", Setting())

    assert (found.errno, found.log[0].text) == (
        errno.EROFS,
        "tm: `n' invalid for parameter `kept'",
    )
    assert list(set_parameters("tm", (kept,), "kept=n,y", Setting())) == []


def test_words_are_split_at_bytes() -> None:
    """0xA0 is a blank, the second byte of U+00A0 and of U+00E0."""
    assert [name for name, _value, _at in words("\xe9 x\xe0y")] == ["\xe9", "x\udcc3", "y"]


def test_a_query_that_is_not_read_is_doubted_and_a_bad_one_told() -> None:
    found = list(set_parameters("tm", (), 'dyndbg="line x +p" a.dyndbg=p', Setting()))

    assert [(each.errno, each.could_not_tell, len(each.log)) for each in found] == [
        (0, True, 0),
        (0, False, 2),
    ]


def test_a_refusal_tells_what_the_parameter_takes() -> None:
    module = facts_of(image_from_bytes(a_parameter_module(), name="tiny"), KERNEL)
    declared = declared_parameters(module)
    remedies = {
        given: [each.remedy for each in set_parameters("tiny", declared, given, Setting())]
        for given in ("small=256", "yes=maybe", "list=x", "num=x")
    }

    assert remedies["small=256"] == ["small takes a byte, 0 to 255"]
    assert remedies["yes=maybe"] == ["yes takes Y or N"]
    assert remedies["num=x"] == ["num takes an int, -2147483648 to 2147483647"]
    assert remedies["list=x"][0].startswith("list takes up to 4 values, each an int, ")
