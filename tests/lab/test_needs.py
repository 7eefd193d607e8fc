from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import LabError
from lkm.lab.architectures import ARM64, X86_64, Architecture
from lkm.lab.needs import check_config, check_copied, memory_available, memory_for

ALL = ("BLK_DEV_INITRD", "BINFMT_ELF", "BINFMT_SCRIPT", "PROC_FS", "SYSFS", "DEVTMPFS")
OF = {
    "x86_64": (*ALL, "SERIAL_8250_CONSOLE", "MODULES"),
    "arm64": (*ALL, "SERIAL_AMBA_PL011_CONSOLE", "SERIAL_8250_PCI", "MODULES"),
}
MIB = 1 << 20


def config(architecture: Architecture) -> dict[str, str]:
    return {f"CONFIG_{name}": "y" for name in OF[architecture.name]}


@pytest.mark.parametrize("architecture", [X86_64, ARM64], ids=lambda each: each.name)
def test_each_option_is_needed_and_named_with_its_reason(architecture: Architecture) -> None:
    check_config(config(architecture), "/boot/config", architecture, with_modules=True)

    for name in OF[architecture.name]:
        for value in ({}, {f"CONFIG_{name}": "m"}):
            less = config(architecture)
            del less[f"CONFIG_{name}"]
            with pytest.raises(LabError, match=rf"CONFIG_{name}=y (to|for) .*\(/boot/config\)"):
                check_config(less | value, "/boot/config", architecture, with_modules=True)


def test_modules_are_needed_only_where_there_are_any() -> None:
    without = {key: value for key, value in config(X86_64).items() if key != "CONFIG_MODULES"}

    check_config(without, "", X86_64, with_modules=False)


def test_what_is_needed_stands_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs/lab.md").read_text()

    assert not [name for names in OF.values() for name in names if f"`CONFIG_{name}`" not in text]


def test_memory_is_for_the_kernel_its_files_three_times_and_some_more() -> None:
    assert memory_for(10 * MIB, 20 * MIB, None) == 512
    assert memory_for(60 * MIB, 300 * MIB, None) == 1152  # 60 + 900 + 128 = 1088
    assert memory_for(60 * MIB, 300 * MIB, 1088) == 1088
    assert memory_for(10 * MIB, 20 * MIB, 198) == 198


def test_too_little_memory_is_said_with_what_is_enough() -> None:
    with pytest.raises(LabError, match="1087 MiB of memory are too few") as caught:
        memory_for(60 * MIB, 300 * MIB, 1087)

    assert "--memory 1088" in caught.value.remedy


def test_what_is_copied_may_be_two_gibibytes_and_half_of_what_memory_is_left() -> None:
    check_copied({}, 0)
    check_copied({"/a": 1 << 30, "/b": 1 << 30}, None)
    check_copied({"/a": 1 << 30}, 2 << 30)

    with pytest.raises(LabError, match=r"^/b is too large .* 1537 MiB, .* may be 2048 MiB") as told:
        check_copied({"/a": 1 << 30, "/b": 1537 * MIB}, 64 << 30)
    with pytest.raises(LabError, match="may be 1023 MiB"):
        check_copied({"/a": 1 << 30}, (2 << 30) - 1)
    assert told.value.remedy


@pytest.mark.parametrize(
    ("text", "available"),
    [
        ("MemTotal:  9 kB\nMemAvailable:    1024 kB\n", MIB),
        ("MemTotal:  9 kB\n", None),
        ("MemAvailable:\n\nMemFree: 1 kB", None),
        ("MemAvailable: much\n", None),
    ],
)
def test_how_much_memory_is_left_may_not_be_told(
    tmp_path: Path, text: str, available: int | None
) -> None:
    (tmp_path / "meminfo").write_text(text)

    assert memory_available(str(tmp_path / "meminfo")) == available
    assert memory_available(str(tmp_path / "nowhere")) is None
