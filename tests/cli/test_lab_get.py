"""lkm lab get, with a made-up apt."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.apt import MadeUpApt, a_made_up_apt
from tests.cli.running import Ran, lkm
from tests.report.validating import validate

RELEASE = "6.1.0-9-arm64"


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpApt:
    made = a_made_up_apt(tmp_path / "apt")
    monkeypatch.setenv("PATH", f"{made.folder}/bin:/usr/bin:/bin")
    monkeypatch.setenv("LKM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LKM_CACHE", "off")
    made.add_kernel(RELEASE, lists="coming")
    return made


def get(*words: str) -> Ran:
    return lkm("lab", "get", *words)


def test_it_tells_where_the_kernel_is_and_every_verb_finds_it(
    apt: MadeUpApt, tmp_path: Path
) -> None:
    apt.add("busybox-static", {"bin/busybox": b"\x7fELF"}, lists="coming")
    got = get("debian:6.1", "--arch", "aarch64")

    root = f"{tmp_path}/data/kernels/{RELEASE}"
    first, second = got.out.splitlines()
    assert (got.status, root in first, f"--release {RELEASE}" in second) == (0, True, True)
    assert "downloading linux-image-6.1.0-9-arm64 1.0-1" in got.err
    found = lkm("find", "vfat", "--release", RELEASE)
    assert (found.status, root in found.out) == (0, True)
    assert root in lkm("kernels").out

    assert "is there already" in get("debian:6.1", "--arch", "arm64").out


def test_the_document_is_as_its_schema_says(apt: MadeUpApt) -> None:
    apt.add("busybox-static", {"usr/bin/busybox": b"\x7fELF"}, lists="coming")
    for already in (False, True):
        document = validate(get("debian:6.1", "--arch", "arm64", "--json").out)
        assert document["already_there"] is already
        assert str(document["busybox"]).endswith("/programs/arm64/busybox")
        assert document["package"] == f"linux-image-{RELEASE}"


@pytest.mark.usefixtures("apt")
def test_a_kernel_is_there_even_if_the_busybox_of_its_guests_is_not() -> None:
    got = get("debian:6.1", "--arch", "arm64")

    assert got.status == 0
    assert "WARNING: busybox for guests was not fetched" in got.err
