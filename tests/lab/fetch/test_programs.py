"""The busybox of a guest's machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import FetchError
from lkm.lab.fetch.programs import fetch_busybox, fetched_busybox, needs_busybox
from tests.builders.apt import MadeUpApt
from tests.conftest import missing


def test_a_busybox_is_fetched_once_and_found_by_any_word(apt: MadeUpApt, tmp_path: Path) -> None:
    apt.add("busybox-static", {"bin/busybox": b"\x7fELF"}, lists="coming")
    assert needs_busybox("arm64")
    assert fetched_busybox("arm64") is None

    path = fetch_busybox("aarch64")

    assert path == f"{tmp_path}/data/programs/arm64/busybox" == fetched_busybox("aarch64")
    assert Path(path).read_bytes() == b"\x7fELF"
    assert not needs_busybox("arm64")
    before = len(apt.calls)
    assert (fetch_busybox("arm64"), len(apt.calls)) == (path, before)


def test_the_installed_one_serves_this_machine_and_no_other(apt: MadeUpApt) -> None:
    (apt.folder / "bin/busybox").write_bytes(b"\x7fELF")
    (apt.folder / "bin/busybox").chmod(0o755)

    assert not needs_busybox("amd64")
    assert needs_busybox("arm64")


def test_a_package_without_one_is_an_error(apt: MadeUpApt) -> None:
    apt.add("busybox-static", {"bin/other": b""})
    with pytest.raises(FetchError, match="holds no busybox"):
        fetch_busybox("amd64")
    with pytest.raises(FetchError, match="apt knows no busybox-static for arm64"):
        fetch_busybox("arm64")


@pytest.mark.debian
def test_debian_has_one_for_arm64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_DATA", str(tmp_path))
    try:
        path = fetch_busybox("arm64")
    except FetchError as error:
        missing("debian", str(error))
        raise
    program = Path(path).read_bytes()
    assert (program[:5], program[18]) == (b"\x7fELF\x02", 183)
