"""lkm kconfig: which configuration it takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lkm.vmlinux.answers import CouldNotTell
from tests.cli.running import lkm
from tests.kernel.images import a_config, saved_facts
from tests.kernel.trees import RELEASE

NONE = CouldNotTell("no configuration is built into the image (CONFIG_IKCONFIG)")


@pytest.fixture
def boot(tmp_path: Path) -> Path:
    """Return a boot folder with the saved facts of a kernel that has no configuration in it."""
    folder = tmp_path / "there" / "boot"
    folder.mkdir(parents=True)
    (folder / f"vmlinuz-{RELEASE}").write_bytes(saved_facts(config=NONE))
    return folder


def source(*words: str) -> str | None:
    ran = lkm("kconfig", "--json", *words)
    document = json.loads(ran.out)
    assert ran.status == (0 if document["source"] else 3), ran.err
    found: str | None = document["source"]
    return found


def config(folder: Path, **changed: str) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"config-{RELEASE}"
    text = "".join(f"{name}={value}\n" for name, value in a_config(**changed).items())
    path.write_text(text)
    return str(path)


def test_the_configuration_beside_a_named_image_is_its_own(boot: Path, tmp_path: Path) -> None:
    image = str(boot / f"vmlinuz-{RELEASE}")
    assert source("--vmlinux", image) is None

    elsewhere = config(tmp_path / "root" / "boot")
    assert source("--vmlinux", image, "--root", str(tmp_path / "root")) == elsewhere

    beside = config(boot)
    assert source("--vmlinux", image) == beside
    assert source("--kernel", image) == beside
    assert source("--vmlinux", image, "--root", str(tmp_path / "root")) == beside


def test_the_configuration_in_a_named_image_goes_before_any_file(
    boot: Path, tmp_path: Path
) -> None:
    config(boot)
    config(tmp_path / "root" / "boot")
    image = boot / f"facts-{RELEASE}"
    image.write_bytes(saved_facts())

    assert source("--vmlinux", str(image), "--root", str(tmp_path / "root")) == str(image)


def test_an_image_in_a_tree_has_its_configuration_there(tmp_path: Path) -> None:
    tree = tmp_path / "lib/modules" / RELEASE
    config(tree)
    (tree / f"config-{RELEASE}").rename(tree / "config")
    (tree / "vmlinuz").write_bytes(saved_facts(config=NONE))

    assert source("--vmlinux", str(tree / "vmlinuz")) == str(tree / "config")


def test_saved_facts_stand_in_for_an_image_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    facts = tmp_path / f"boot/facts-{RELEASE}"
    facts.write_bytes(saved_facts())

    assert source("--root", str(tmp_path), "--release", RELEASE) == str(facts)


def test_a_tree_leads_to_the_boot_folder_of_its_root(tmp_path: Path) -> None:
    written = config(tmp_path / "boot")
    for folder in ("lib/modules", "usr/lib/modules"):
        tree = tmp_path / folder / RELEASE
        tree.mkdir(parents=True)
        assert source("--kernel", str(tree)) == written
        assert source("--kernel", f"{tree}/") == written


def test_the_only_kernel_under_a_root_is_meant(tmp_path: Path) -> None:
    written = config(tmp_path / "boot")
    (tmp_path / "lib/modules" / RELEASE).mkdir(parents=True)
    assert source("--root", str(tmp_path)) == written

    (tmp_path / "lib/modules/6.2.0-test").mkdir()
    ran = lkm("kconfig", "--root", str(tmp_path))
    assert ran.status == 2
    assert f"{RELEASE}, 6.2.0-test" in ran.err


def test_a_kernel_with_an_image_and_no_modules_can_be_the_only_one(boot: Path) -> None:
    written = config(boot)
    assert source("--root", str(boot.parent)) == written


def test_what_is_no_image_is_not_called_damaged(tmp_path: Path) -> None:
    text = tmp_path / "passwd"
    text.write_text("root:x:0:0:root:/root:/bin/sh\n" * 30)

    for path in ("/dev/zero", str(text)):
        ran = lkm("kconfig", "--vmlinux", path)
        assert ran.status == 3
        assert path in ran.err
        assert "get it anew" not in ran.err


def test_damaged_facts_are_to_be_got_anew(tmp_path: Path) -> None:
    cut = tmp_path / "facts"
    cut.write_bytes(saved_facts()[:-1])
    ran = lkm("kconfig", "--vmlinux", str(cut))
    assert (ran.status, "get it anew" in ran.err) == (3, True)


def test_a_system_map_has_no_configuration(tmp_path: Path) -> None:
    path = tmp_path / f"System.map-{RELEASE}"
    path.write_text("ffffffff81000000 T _text\n")
    ran = lkm("kconfig", "--vmlinux", str(path))
    assert (ran.status, "has no configuration in it" in ran.err) == (3, True)
