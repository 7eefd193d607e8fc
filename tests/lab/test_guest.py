"""What is put into a guest, before there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lkm.cpio import parse_archive
from lkm.errors import LabError, UsageError
from lkm.lab.architectures import of_host
from lkm.lab.guest import Wanted, initramfs
from tests.conftest import missing

pytestmark = pytest.mark.usefixtures("cache")
RELEASE = "6.1"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the programs for all of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LKM_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def wanted(
    *command: str, folder: str = "/", copies: tuple[str, ...] = (), roots: tuple[str, ...] = ()
) -> Wanted:
    """Return what a guest of this machine's kind without a tree gets, or skip."""
    architecture = of_host()
    if architecture is None:
        missing("lab", "there is no lab for this machine")
        raise AssertionError  # missing() does not return
    return Wanted(
        architecture=architecture,
        release=RELEASE,
        directory="",
        command=command,
        folder=folder,
        copies=copies,
        roots=roots,
    )


def test_too_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(LabError, match=f"^{tmp_path} is too large.* 1048576 MiB"):
        initramfs(wanted(copies=("/etc/passwd", str(tmp_path))))


def test_a_folder_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError):
        initramfs(wanted(copies=("",)))


def own(given: Wanted) -> dict[str, bytes]:
    """Return what the guest's own archive has, by its names."""
    return {entry.name: entry.data for entry in parse_archive(initramfs(given)[-1])}


def test_a_guest_starts_where_its_root_is_and_finds_there_what_was_named(tmp_path: Path) -> None:
    (tmp_path / "root/sub").mkdir(parents=True)
    (tmp_path / "root/lab").mkdir()
    (tmp_path / "root/lab/command").write_text("not mine")
    (tmp_path / "root/sub/a").write_text("a")
    (tmp_path / "link").symlink_to("root")
    root, link = f"{tmp_path}/root", f"{tmp_path}/link"
    found = own(wanted("cat", f"{root}/sub/a", folder=f"{root}/sub", copies=(root,), roots=(link,)))

    assert found[root.lstrip("/")] == found[link.lstrip("/")] == b"/"
    assert found["sub/a"] == b"a"
    assert b"\ncd /sub 2>/dev/null || cd /\n" in found["lab/command"]
    assert own(wanted(folder=str(tmp_path), roots=(root,)))[root.lstrip("/")] == b"/"


@pytest.mark.parametrize("folder", ["/proc/1", "/sys/kernel", "/dev/shm"])
def test_a_folder_of_the_hosts_kernel_is_not_made(folder: str) -> None:
    assert folder.lstrip("/") not in own(wanted(folder=folder))


def test_the_programs_are_made_anew_when_one_of_the_hosts_tools_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    tool = tmp_path / "ls"
    sizes: list[int] = []
    for name in ("ls", "cat"):
        tool.write_bytes(Path(f"/bin/{name}").read_bytes() + bytes(len(name)))
        tool.chmod(0o755)
        programs = {entry.name: entry for entry in parse_archive(initramfs(wanted())[0])}
        sizes.append(len(programs["usr/bin/ls"].data))

    assert sizes[0] != sizes[1]
