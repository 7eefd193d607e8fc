"""Where fetched kernels lie, and which of them count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lkm.errors import NoTreeError
from lkm.tree.fetched import data_folder, fetched_roots, root_of_release
from lkm.tree.installed import tree_directory
from tests.tree.users import a_shared_folder, not_root


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the fetched kernels, of which there are two."""
    monkeypatch.setenv("LKM_DATA", str(tmp_path / "data"))
    for release in ("6.10.1-amd64", "6.9.1-amd64", ".partial-x"):
        (tmp_path / "data/kernels" / release / "lib/modules" / release).mkdir(parents=True)
    (tmp_path / "data/kernels/.depmod.lkm-lock").touch()
    return tmp_path / "data/kernels"


def test_the_folder_is_the_one_named_or_that_of_xdg() -> None:
    assert data_folder({"LKM_DATA": "/srv/data", "XDG_DATA_HOME": "/x"}) == "/srv/data"
    assert data_folder({"XDG_DATA_HOME": "/x"}) == "/x/lkm"
    assert data_folder({"XDG_DATA_HOME": "relative"}).endswith("/.local/share/lkm")


def test_fetched_kernels_are_listed_without_what_is_being_fetched(kernels: Path) -> None:
    found = fetched_roots()

    assert list(found) == ["6.9.1-amd64", "6.10.1-amd64"]
    assert found["6.9.1-amd64"] == str(kernels / "6.9.1-amd64")


def test_a_root_that_has_the_kernel_goes_before_the_fetched_one(
    kernels: Path, tmp_path: Path
) -> None:
    release = "6.9.1-amd64"
    assert root_of_release(release, str(tmp_path)) == str(kernels / release)

    (tmp_path / "boot").mkdir()
    (tmp_path / f"boot/vmlinuz-{release}").touch()
    assert root_of_release(release, str(tmp_path)) == str(tmp_path)


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("release", ["", "9.9", "..", ".partial-x", "6.9.1-amd64/../x"])
def test_what_was_not_fetched_is_in_the_root_asked_about(release: str) -> None:
    assert root_of_release(release) == "/"


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_what_others_may_write_is_not_believed(kernels: Path, mode: int) -> None:
    (kernels / "6.9.1-amd64").chmod(mode)
    assert list(fetched_roots()) == ["6.10.1-amd64"]

    kernels.chmod(mode)
    assert fetched_roots() == {}


def test_what_roots_fetched_is_everybodys_and_the_other_way_round_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_shared_folder(tmp_path) as shared:
        monkeypatch.setenv("LKM_DATA", str(shared))
        kernel = shared / "kernels/6.9.1-amd64"
        kernel.mkdir(parents=True)
        for folder in (kernel.parent, kernel):
            folder.chmod(0o755)
        with not_root():
            assert list(fetched_roots()) == ["6.9.1-amd64"]
        if os.geteuid() == 0:
            os.chown(kernel, 65534, 65534)
            assert fetched_roots() == {}


def test_a_missing_tree_tells_what_was_fetched_and_what_can_be(kernels: Path) -> None:
    with pytest.raises(NoTreeError) as caught:
        tree_directory("/", "9.9")
    assert "fetched: 6.9.1-amd64, 6.10.1-amd64" in caught.value.remedy

    with pytest.raises(NoTreeError) as caught:
        tree_directory("/", "6.9.1-amd64")
    assert str(kernels / "6.9.1-amd64") in caught.value.remedy

    with pytest.raises(NoTreeError) as caught:
        tree_directory(str(kernels), "6.9.1-amd64")
    assert "lkm lab get" not in caught.value.remedy


def test_a_missing_tree_of_debians_tells_how_to_fetch_it() -> None:
    with pytest.raises(NoTreeError) as caught:
        tree_directory("/", "6.1.0-999-amd64")
    assert "lkm lab get debian:6.1.0-999-amd64" in caught.value.remedy

    with pytest.raises(NoTreeError) as caught:
        tree_directory("/", "6.8.5-301.fc40.x86_64")
    assert "lkm lab get" not in caught.value.remedy
