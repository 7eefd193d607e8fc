from __future__ import annotations

import pytest

from lkm.config.modprobe_d import (
    Alias,
    Blacklist,
    Complaint,
    Install,
    Options,
    Remove,
    Softdep,
    Source,
    Weakdep,
    parse,
)

EVERY_KIND = r"""# one of each
alias pci:v0000[0-9]-x snd-pcm
blacklist snd-pcsp
options snd-hda index=0 model=\"a b\"
install usb-storage /bin/true $CMDLINE_OPTS \
    --more
remove usb-storage /bin/false
softdep ext4 pre: crc32c-x post: b
weakdep btrfs zstd-x
include /etc/other
bogus line
"""
AT = Source("a.conf", 1)


def only(line: str) -> object:
    (found,) = parse(line, "a.conf")
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("alias foo-bar mod-one", Alias("foo_bar", "mod_one", AT)),
        ("\talias\ttab-one \t two  more words", Alias("tab_one", "two", AT)),
        ("alias -aa-[b-b]-cc- m", Alias("_aa_[b-b]_cc_", "m", AT)),
        ("blacklist snd-pcsp ignored words", Blacklist("snd_pcsp", AT)),
        ("blacklist cr\r", Blacklist("cr\r", AT)),
        ("options m-o\tx=1\ty=2  z", Options("m_o", "x=1 y=2  z", AT)),
        ("options m   ", Options("m", "  ", AT)),
        ("options bs a=\\$1 b=\\\\x", Options("bs", "a=$1 b=\\x", AT)),
        ("install m-x /bin/echo   hi  there ", Install("m_x", "/bin/echo   hi  there ", AT)),
        ("install snd-* \t/bin/x\ty", Install("snd_*", "\t/bin/x\ty", AT)),
        ("remove m-x  modprobe -r y", Remove("m_x", " modprobe -r y", AT)),
        ("softdep s-2 pre: a-a   b post: c", Softdep("s_2", ("a-a", "b"), ("c",), AT)),
        ("softdep s post: z pre: y post: w ", Softdep("s", ("y",), ("z", "w"), AT)),
        ("softdep s a b", Softdep("s", (), (), AT)),
        ("softdep s x pre:a pre: b", Softdep("s", ("b",), (), AT)),
        ("softdep s pre: post:", Softdep("s", (), (), AT)),
        ("softdep s pre: a\u00a0b", Softdep("s", ("a\u00a0b",), (), AT)),
        ("weakdep w-d a-b c", Weakdep("w_d", ("a-b", "c"), AT)),
    ],
)
def test_a_line_becomes_a_directive(line: str, expected: object) -> None:
    assert only(line) == expected


@pytest.mark.parametrize(
    ("blanks", "pre"), [(" ", ("a",)), ("  ", ()), ("   ", ("a",)), (" \t", ()), (" \t ", ("a",))]
)
def test_a_pre_after_exactly_two_blanks_is_lost_as_in_kmod(
    blanks: str, pre: tuple[str, ...]
) -> None:
    assert only(f"softdep s{blanks}pre: a post: b") == Softdep("s", pre, ("b",), AT)


@pytest.mark.parametrize(
    "line",
    [
        "alias",
        "alias foo",
        "alias f[oo m",
        "alias foo m]",
        "blacklist",
        "blacklist a]b",
        "options",
        "options m",
        "options m ",
        "options m[ x=1",
        "install m",
        "install m ",
        "install m[ true",
        "remove m",
        "remove m[ true",
        "softdep",
        "softdep m",
        "softdep m[ pre: a",
        "weakdep m",
        "weakdep m[ a",
        "bogus",
        "Alias a b",
        " # indented",
    ],
)
def test_a_bad_line_is_a_complaint_in_the_words_of_kmod(line: str) -> None:
    word = line.split(maxsplit=1)[0]

    found = only(line)

    assert isinstance(found, Complaint)
    assert (found.source, found.text) == (AT, line)
    assert found.problem
    assert found.kmod_text == (
        "libkmod: ERROR: kmod_config_parse: "
        f"a.conf line 1: ignoring bad line starting with '{word}'"
    )


@pytest.mark.parametrize("command", ["include", "config"])
def test_commands_of_old_are_refused(command: str) -> None:
    found = only(f"{command} /etc/x")

    assert isinstance(found, Complaint)
    assert found.kmod_text == (
        "libkmod: ERROR: kmod_config_parse: "
        f"a.conf: command {command} is deprecated and not parsed anymore"
    )


def test_a_bad_joined_line_is_counted_by_its_last_line_as_in_kmod() -> None:
    found = only("bogus \\\n a \\\n b")

    assert isinstance(found, Complaint)
    assert found.source.line == 1
    assert "line 3:" in found.kmod_text


def test_one_bad_line_does_not_hide_the_good_ones_and_each_knows_its_line() -> None:
    found = parse(EVERY_KIND, "x.conf")

    assert [(type(one).__name__, one.source.line) for one in found] == [
        ("Alias", 2),
        ("Blacklist", 3),
        ("Options", 4),
        ("Install", 5),
        ("Remove", 7),
        ("Softdep", 8),
        ("Weakdep", 9),
        ("Complaint", 10),
        ("Complaint", 11),
    ]


def test_a_text_cut_anywhere_still_parses_and_keeps_what_stands_before_the_cut() -> None:
    whole = parse(EVERY_KIND, "x.conf")

    for size in range(len(EVERY_KIND)):
        found = parse(EVERY_KIND[:size], "x.conf")

        assert len(found) <= len(whole)
        assert found[:-1] == whole[: max(len(found) - 1, 0)]


def test_bytes_that_are_no_utf8_stay_what_they_are() -> None:
    text = b"options m x=\xff\xe9".decode("utf-8", "surrogateescape")

    found = only(text)

    assert isinstance(found, Options)
    assert found.params.encode("utf-8", "surrogateescape") == b"x=\xff\xe9"


def test_a_source_reads_as_file_and_line() -> None:
    assert str(Source("/etc/modprobe.d/a.conf", 7)) == "/etc/modprobe.d/a.conf:7"
    assert str(Source("/proc/cmdline", 0)) == "/proc/cmdline"


def test_a_name_may_be_longer_than_any_that_is_looked_up() -> None:
    found = only(f"blacklist {'a-' * 3000}")

    assert isinstance(found, Blacklist)
    assert found.module == "a_" * 3000
