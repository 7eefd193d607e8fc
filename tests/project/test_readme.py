"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lkm
from lkm.cli.main import DROP_INS, VERBS
from lkm.kernel.sandbox import Sandbox
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE, a_root
from tests.lab.labs import a_kernel, lab_of

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_the_library_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    a_root(tmp_path, {"kernel/btrfs.ko": a_module(name="btrfs", modinfo=["alias=fs-btrfs"])})
    example, _images, _lab = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    exec(compile(example, "README.md", "exec"), {"root": str(tmp_path), "release": RELEASE})

    assert [module.name for module in Sandbox().modules()] == ["btrfs"]


@pytest.mark.debian
def test_the_example_of_a_kernel_image_runs(
    debian_root: Path, debian_release: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _library, example, _lab = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    image = str(debian_root / "boot" / f"vmlinuz-{debian_release}")

    exec(compile(example, "README.md", "exec"), {"image": image})

    printed = capsys.readouterr().out
    assert debian_release in printed
    assert " exports, " in printed
    assert "could not tell" in printed  # Debian builds no configuration into its images


@pytest.mark.debian
@pytest.mark.lab
def test_the_example_of_a_lab_runs(capsys: pytest.CaptureFixture[str]) -> None:
    _library, _images, example = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    real = a_kernel("6.1")
    kernel = lab_of(real)
    named = {"release": kernel.release, "root": kernel.root, "image": kernel.image, "lkm": lkm}

    exec(compile(example, "README.md", "exec"), named)

    first, *_rest, last = capsys.readouterr().out.split()
    assert first == "ended"
    assert last.endswith("/vfat.ko")


def test_every_command_shown_exists() -> None:
    shown = re.findall(r"^lkm (?:--on \w+ )?([\w-]+)", README, re.MULTILINE)

    assert shown
    assert not set(shown) - {*DROP_INS, *VERBS}


def test_everything_exported_is_there() -> None:
    for name in lkm.__all__:
        assert getattr(lkm, name) is not None
    with pytest.raises(AttributeError):
        lkm.nothing  # noqa: B018  # type: ignore[attr-defined]  # that is the test


def test_every_command_has_its_file() -> None:
    files = {path.stem for path in (ROOT / "src/lkm/cli").glob("*.py")}

    assert {name.replace("-", "_") for name in (*DROP_INS, *VERBS)} <= files
