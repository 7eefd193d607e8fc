"""Fetching a kernel, with a made-up apt."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lkm.errors import (
    FetchError,
    FileError,
    NoPackageToolError,
    NoSuchKernelError,
    PackageToolError,
)
from lkm.lab.fetch.kernels import fetch_kernel
from lkm.tree.fetched import fetched_roots
from lkm.tree.installed import installed_kernels
from tests.builders.apt import MadeUpApt
from tests.tree.users import a_shared_folder, not_root


def test_a_kernel_is_fetched_with_its_indexes_and_found(apt: MadeUpApt, kernels: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    fetched = fetch_kernel("debian:6.1", watch=lambda *step: seen.append(step))

    release = "6.1.0-9-amd64"
    assert (fetched.release, fetched.already_there) == (release, False)
    assert fetched.root == str(kernels / release)
    assert fetched.image == f"{fetched.root}/boot/vmlinuz-{release}"
    assert fetched.bytes > 1000
    assert fetched.record is not None
    assert fetched.record.package == f"linux-image-{release}"
    assert (fetched.record.source, fetched.record.version) == ("debian:6.1", "1.0-1")
    (kernel,) = installed_kernels(fetched.root)
    assert (kernel.directory, kernel.indexes) == (fetched.directory, "up to date")
    assert fetched_roots() == {release: fetched.root}
    assert os.listdir(kernels) == [release]
    assert seen[0] == (f"downloading linux-image-{release} 1.0-1", 0, 1000)
    assert "apt-get update" not in apt.calls


def test_one_that_is_there_is_not_asked_for_again(apt: MadeUpApt) -> None:
    first = fetch_kernel("debian:6.1")
    before = len(apt.calls)

    for text in ("debian:6.1", "debian:6.1.0-9-amd64", "debian:linux-image-6.1.0-9-amd64"):
        again = fetch_kernel(text, "amd64")
        assert (again.root, again.already_there, again.record) == (first.root, True, first.record)
    assert len(apt.calls) == before

    assert fetch_kernel("debian:6.12").release == "6.12.3+deb12-amd64"


def test_an_update_fetches_the_newest_and_leaves_the_old_one(apt: MadeUpApt) -> None:
    fetch_kernel("debian:6.1")
    apt.add_kernel("6.1.0-10-amd64")

    assert fetch_kernel("debian:6.1").release == "6.1.0-9-amd64"
    assert fetch_kernel("debian:6.1", update=True).release == "6.1.0-10-amd64"
    assert fetch_kernel("debian:6.1", update=True).already_there
    assert list(fetched_roots()) == ["6.1.0-9-amd64", "6.1.0-10-amd64"]


def test_signed_kernels_go_first_and_those_without_a_kernel_never(apt: MadeUpApt) -> None:
    for name in ("6.1.0-11-amd64-unsigned", "6.1.0-12-amd64-dbg", "6.1.0-13-rt-amd64"):
        apt.add(f"linux-image-{name}", {})

    assert fetch_kernel("debian:6.1").release == "6.1.0-9-amd64"


def test_an_unsigned_kernel_will_do_where_there_is_no_other(apt: MadeUpApt) -> None:
    release = "6.9.1-amd64"
    kernel = {f"boot/vmlinuz-{release}": b"x", f"usr/lib/modules/{release}/kernel/empty": b""}
    apt.add(f"linux-image-{release}-unsigned", kernel)

    fetched = fetch_kernel("debian:6.9")

    assert (fetched.release, fetch_kernel(f"debian:{release}").already_there) == (release, True)
    assert fetched.directory.endswith(f"/usr/lib/modules/{release}")


def test_a_package_that_only_names_the_newest_leads_to_it(apt: MadeUpApt) -> None:
    apt.add("linux-image-amd64", {}, depends="linux-image-6.12.3+deb12-amd64")

    fetched = fetch_kernel("debian:linux-image-amd64")

    assert fetched.release == "6.12.3+deb12-amd64"
    assert fetch_kernel("debian:linux-image-amd64").already_there


def test_a_kernel_in_several_packages_is_put_together(apt: MadeUpApt) -> None:
    release = "6.17.1-amd64"
    apt.add(
        f"linux-image-{release}",
        {f"boot/vmlinuz-{release}": b"x"},
        depends="linux-modules-6.17.1 (= 1.0-1)",
    )
    apt.add("linux-modules-6.17.1", {f"usr/lib/modules/{release}/kernel/none": b""})

    assert fetch_kernel("debian:6.17").release == release


def test_a_series_that_apt_does_not_know_is_told_those_that_it_does(apt: MadeUpApt) -> None:
    for lists in ("6.1.0-9", "6.12.3+deb12"):
        apt.add(f"linux-image-{lists}-amd64", {}, lists="updated")

    with pytest.raises(NoSuchKernelError) as caught:
        fetch_kernel("debian:5.10")
    assert caught.value.there == ("6.1", "6.12")
    assert caught.value.remedy == "there are debian:6.1, debian:6.12"

    with pytest.raises(NoSuchKernelError) as caught:
        fetch_kernel("debian:6.1.0-3-amd64")
    assert caught.value.remedy == "the newest of 6.1 are 6.1.0-9-amd64"


def test_lists_that_are_out_of_date_are_followed_by_lists_of_lkms_own(apt: MadeUpApt) -> None:
    apt.add_kernel("6.13.1-amd64", lists="coming")

    assert fetch_kernel("debian:6.13").release == "6.13.1-amd64"
    assert apt.calls.count("apt-get update") == 1

    apt.add_kernel("6.14.1-amd64", lists="updated")
    assert fetch_kernel("debian:6.14").release == "6.14.1-amd64"
    assert apt.calls.count("apt-get update") == 1, "they count for half a day"


def test_another_architecture_has_lists_of_its_own_without_a_cache_too(
    apt: MadeUpApt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_CACHE", "off")
    apt.add_kernel("6.1.0-9-arm64", lists="coming")

    fetched = fetch_kernel("debian:6.1", "aarch64")

    assert fetched.release == "6.1.0-9-arm64"
    assert fetched.record is not None
    assert fetched.record.architecture == "arm64"
    with pytest.raises(NoSuchKernelError) as caught:
        fetch_kernel("debian:6.1", "s390x")
    assert caught.value.there == ("6.1",)


def test_without_apt_it_is_told_how_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("LKM_DATA", str(tmp_path / "data"))

    with pytest.raises(NoPackageToolError, match="no apt-get") as caught:
        fetch_kernel("debian:6.1")
    assert "--root DIR" in caught.value.remedy


def test_without_a_network_what_apt_said_is_told(apt: MadeUpApt, kernels: Path) -> None:
    said = "E: Failed to fetch http://mirror/x.deb  Could not resolve 'mirror'"
    apt.fails("download", f"{said}\nE: Some files failed to download")
    apt.fails("update", "E: Temporary failure")

    with pytest.raises(PackageToolError, match="Could not resolve 'mirror'") as caught:
        fetch_kernel("debian:6.1")
    assert "network" in caught.value.remedy
    assert os.listdir(kernels) == []

    with pytest.raises(PackageToolError, match="apt-get update: Temporary failure"):
        fetch_kernel("debian:6.1", "arm64")


def test_without_room_nothing_is_downloaded(apt: MadeUpApt) -> None:
    apt.add_kernel("6.5.1-amd64", kib=1 << 40)

    with pytest.raises(FileError, match="No space left") as caught:
        fetch_kernel("debian:6.5")
    assert "LKM_DATA" in caught.value.remedy
    assert not any("download" in call for call in apt.calls)


def test_a_disk_that_fills_up_meanwhile_is_told_too(apt: MadeUpApt, kernels: Path) -> None:
    (apt.folder / "bin/dpkg-deb").write_text(
        '#!/bin/sh\necho half >"$3/half"; echo "dpkg-deb: No space left on device" >&2; exit 2\n'
    )
    with pytest.raises(FileError, match="No space left"):
        fetch_kernel("debian:6.1")
    assert os.listdir(kernels) == []


def test_a_package_without_a_kernel_is_refused(apt: MadeUpApt, kernels: Path) -> None:
    apt.add("linux-image-6.3.1-amd64", {"boot/vmlinuz-6.3.1-amd64": b"x"})

    with pytest.raises(FetchError, match="no kernel with an image and modules"):
        fetch_kernel("debian:6.3")
    assert os.listdir(kernels) == []


def test_one_that_is_killed_leaves_nothing_that_counts(apt: MadeUpApt, kernels: Path) -> None:
    (apt.folder / "slow").touch()
    fetching = "from lkm.lab.fetch.kernels import fetch_kernel; fetch_kernel('debian:6.1')"
    with subprocess.Popen([sys.executable, "-c", fetching], start_new_session=True) as process:
        while not (apt.folder / "downloading").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        process.wait()
        os.killpg(process.pid, signal.SIGKILL)  # the apt that it had started
    assert [name[:9] for name in sorted(os.listdir(kernels))] == [".depmod.l", ".partial-"]
    assert fetched_roots() == {}

    (apt.folder / "slow").unlink()
    assert fetch_kernel("debian:6.1").already_there is False
    assert os.listdir(kernels) == ["6.1.0-9-amd64"]


def test_what_is_in_the_way_is_left_alone(apt: MadeUpApt, kernels: Path) -> None:
    del apt
    place = kernels / "6.1.0-9-amd64"
    (place / "precious").mkdir(parents=True)
    kernels.chmod(0o755)
    place.chmod(0o777)

    with pytest.raises(FetchError, match="in the way"):
        fetch_kernel("debian:6.1")
    assert (place / "precious").is_dir()


def test_root_does_not_fetch_into_another_users_folder(
    apt: MadeUpApt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be wrong here")  # others may not write there anyway
    with a_shared_folder(tmp_path) as shared:
        shared.chmod(0o777)
        with not_root():
            (shared / "home").mkdir()
        monkeypatch.setenv("LKM_DATA", str(shared / "home/data"))
        with pytest.raises(FetchError, match="belongs to another user") as caught:
            fetch_kernel("debian:6.1")
    assert "needs no root" in caught.value.remedy
    assert not any("download" in call for call in apt.calls)


def test_a_kernel_put_there_by_hand_counts_without_a_record(apt: MadeUpApt, kernels: Path) -> None:
    root = Path(fetch_kernel("debian:6.1").root)
    (root / "fetched.json").write_text("{")
    before = len(apt.calls)

    again = fetch_kernel("debian:6.1", "amd64")

    assert (again.already_there, again.record, len(apt.calls)) == (True, None, before)
    shutil.rmtree(root)
    assert fetched_roots() == {}
    assert os.listdir(kernels) == []
