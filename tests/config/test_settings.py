from __future__ import annotations

from pathlib import Path

import pytest

from lkm.config.directives import Complaint
from lkm.config.modprobe_d import parse
from lkm.config.settings import Settings
from lkm.report.config import config_lines


def settings(text: str) -> Settings:
    return Settings(parse(text, "a.conf"))


def test_aliases_are_patterns_and_all_that_match_come_in_order() -> None:
    found = settings("alias f* one\nalias foo two\nalias b* three\nalias [f]oo four\n")

    assert [alias.module for alias in found.aliases_for("foo")] == ["one", "two", "four"]
    assert found.aliases_for("x") == ()


@pytest.mark.parametrize(
    ("pattern", "word", "expected"),
    [
        ("foo", "foo", True),
        ("foo", "foobar", False),
        ("f?o", "foo", True),
        ("[a]", "[a]", False),
        ("[a]", "a", True),
        ("*", "", True),
        ("pci:v*d[!0]*", "pci:v1d2", True),
    ],
)
def test_patterns_match_as_fnmatch_does(pattern: str, word: str, expected: bool) -> None:
    assert bool(settings(f"alias {pattern} m").aliases_for(word)) == expected


def test_options_are_joined_by_one_blank_and_name_their_lines() -> None:
    found = settings("options m a=1\noptions other x\noptions al b=2 \noptions m c=3\n")

    params, sources = found.options_for("m", "al")

    assert params == "a=1 b=2  c=3"
    assert [str(source) for source in sources] == ["a.conf:1", "a.conf:3", "a.conf:4"]
    assert found.options_for("m")[0] == "a=1 c=3"
    assert found.options_for("none", "") == ("", ())


def test_an_option_for_a_pattern_is_for_nobody() -> None:
    assert settings("options m* a=1").options_for("mm") == ("", ())


def test_the_first_command_that_matches_wins() -> None:
    found = settings("install s* first\ninstall snd second\nremove snd r1\nremove snd r2\n")

    install, remove = found.install_for("snd"), found.remove_for("snd")

    assert install is not None
    assert remove is not None
    assert (install.command, remove.command) == ("first", "r1")
    assert found.install_for("x") is None


def test_a_command_can_be_asked_for_by_its_very_pattern() -> None:
    found = settings("install s* first\ninstall snd second\nremove sn? third\n")

    by_name, by_pattern = found.install_named("snd"), found.remove_named("sn?")

    assert by_name is not None
    assert by_pattern is not None
    assert (by_name.command, by_pattern.command) == ("second", "third")
    assert found.remove_named("snd") is None


def test_only_the_first_softdep_that_matches_counts() -> None:
    found = settings("softdep a* pre: one\nsoftdep ab pre: two\n")

    softdep = found.softdep_for("ab")

    assert softdep is not None
    assert softdep.pre == ("one",)
    assert found.softdep_for("b") is None


def test_a_blacklist_is_a_name_not_a_pattern() -> None:
    found = settings("blacklist snd-pcsp\nblacklist f*\nblacklist snd_pcsp\n")

    line = found.blacklisted("snd_pcsp")

    assert line is not None
    assert line.source.line == 1
    assert found.blacklisted("foo") is None


def test_the_trees_softdeps_stand_among_the_files_by_name_and_the_command_line_last(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "etc/modprobe.d"
    folder.mkdir(parents=True)
    (folder / "10-a.conf").write_text("softdep a pre: early\noptions m from=file\nbogus\n")
    (folder / "zz.conf").write_text("softdep b pre: late\n")

    found = Settings.read(
        str(tmp_path),
        tree_texts=[("/t/modules.softdep", "softdep a pre: own\nsoftdep b pre: own\n")],
        command_line="m.from=boot modprobe.blacklist=x",
    )

    a, b = found.softdep_for("a"), found.softdep_for("b")
    assert a is not None
    assert b is not None
    assert (a.pre, b.pre) == (("early",), ("own",))
    assert found.options_for("m")[0] == "from=file from=boot"
    assert found.blacklisted("x") is not None
    assert [complaint.source.line for complaint in found.complaints] == [3]
    assert len(found.directives) == 7


def test_config_paths_replace_the_directories_but_not_the_trees_files(tmp_path: Path) -> None:
    folder = tmp_path / "etc/modprobe.d"
    folder.mkdir(parents=True)
    (folder / "a.conf").write_text("blacklist a\n")
    (tmp_path / "mine").write_text("blacklist b\n")

    found = Settings.read(
        str(tmp_path), [str(tmp_path / "mine")], [("/t/modules.softdep", "softdep s pre: p\n")]
    )

    assert found.blacklisted("a") is None
    assert found.blacklisted("b") is not None
    assert found.softdep_for("s") is not None


def test_a_root_without_configuration_has_none(tmp_path: Path) -> None:
    assert Settings.read(str(tmp_path)).directives == ()


def test_directories_among_the_files_are_complaints_too(tmp_path: Path) -> None:
    (tmp_path / "etc/modprobe.d/d.conf").mkdir(parents=True)

    (found,) = Settings.read(str(tmp_path)).complaints

    assert isinstance(found, Complaint)


def test_the_configuration_is_shown_in_groups_with_kmods_missing_blank() -> None:
    text = """weakdep w a-b
softdep s pre: a b post: c
softdep n x
options m x=1
alias a-b m
remove r y
install i x
blacklist b
"""

    assert list(config_lines(settings(text))) == [
        "blacklist b",
        "install i x",
        "remove r y",
        "alias a_b m",
        "options m x=1",
        "softdep s pre: a bpost: c",
        "softdep n ",
        "weakdep w a-b",
    ]
