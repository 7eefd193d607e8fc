"""What `lkm lab get` is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import NoPackageToolError, UsageError
from lkm.lab.fetch.sources import architecture_of, by_hand, parse_source


@pytest.mark.parametrize(
    ("text", "release", "meant"),
    [
        ("debian:6.1", "6.1.0-56-amd64", True),
        ("debian:6.1", "6.1.0-0.deb11.5-amd64", True),
        ("debian:6.1", "6.12.117+deb12-amd64", False),
        ("debian:6.1", "6.1.0-56-cloud-amd64", False),
        ("debian:6.1", "6.1.0-56-arm64", False),
        ("debian:6.1-amd64", "6.1.0-56-amd64", True),
        ("debian:6.12", "6.12.117+deb12-amd64", True),
        ("debian:6.12", "6.12.117+deb12-rt-amd64", False),
        ("debian:6.7", "6.7-amd64", True),
        ("debian:6.1-cloud", "6.1.0-56-cloud-amd64", True),
        ("debian:6.1-cloud", "6.1.0-56-amd64", False),
        ("debian:6.1.0-56-amd64", "6.1.0-56-amd64", True),
        ("debian:6.1.0-56-amd64", "6.1.0-5-amd64", False),
        ("debian:linux-image-6.1.0-56-amd64-unsigned", "6.1.0-56-amd64", True),
    ],
)
def test_a_source_means_the_kernels_of_its_series_or_one(
    text: str, release: str, *, meant: bool
) -> None:
    assert parse_source(text, "amd64").matches(release) is meant


def test_a_flavour_may_stand_on_either_side_of_the_architectures_word() -> None:
    assert parse_source("debian:6.12-16k", "arm64").matches("6.12.117+deb12-arm64-16k")
    assert parse_source("debian:6.1-lpae", "armhf").matches("6.1.0-56-armmp-lpae")
    assert parse_source("debian:6.1", "i386").matches("6.1.0-56-686-pae")


@pytest.mark.parametrize(
    "text", ["", "6.1", "debian", "debian:", "debian:-o", "debian:6.1/x", "moon:6.1", "debian:A b"]
)
def test_what_names_nothing_is_told_the_grammar(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_source(text, "amd64")
    assert "debian:6.1-cloud" in caught.value.remedy


@pytest.mark.parametrize(
    ("distribution", "tool"),
    [
        ("ubuntu", "linux-modules-extra-"),
        ("fedora", "dnf download"),
        ("arch", "pacman -Sp"),
        ("opensuse", "zypper"),
    ],
)
def test_another_distribution_is_told_how_by_its_own_tools(distribution: str, tool: str) -> None:
    with pytest.raises(NoPackageToolError) as caught:
        parse_source(f"{distribution}:6.8", "amd64")
    assert tool in caught.value.remedy
    assert "--root DIR" in caught.value.remedy


def test_by_hand_means_the_tools_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "dpkg-deb -x" in by_hand()

    (tmp_path / "pacman").touch(mode=0o755)
    assert "pacman" in by_hand()


def test_an_architecture_has_several_words() -> None:
    assert {architecture_of(word) for word in ("arm64", "aarch64")} == {"arm64"}
    assert architecture_of("x86_64") == "amd64"
    with pytest.raises(UsageError, match="vax") as caught:
        architecture_of("vax")
    assert "s390x" in caught.value.remedy
