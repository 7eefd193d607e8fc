"""What runs a guest's processor, asked of made-up QEMUs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lkm.errors import NoLabProgramError
from lkm.lab import accelerators
from lkm.lab.accelerators import accelerator_for, works_here
from lkm.lab.architectures import ARM64, X86_64, Architecture, architecture, of_host, of_machine

STATUS = {"x86_64": 1, "arm64": 0}  # how QEMU ends when the few instructions have run


def a_qemu(folder: Path, script: str, architecture: Architecture = X86_64) -> str:
    folder.mkdir(exist_ok=True)
    program = folder / architecture.qemu
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("machine", [X86_64, ARM64], ids=lambda each: each.name)
@pytest.mark.parametrize("status", [0, 1, 2])
def test_it_works_where_the_instructions_have_run(
    tmp_path: Path, machine: Architecture, status: int
) -> None:
    program = a_qemu(tmp_path / "bin", f"exit {status}", machine)

    assert works_here(program, machine, "kvm") is (status == STATUS[machine.name])


def test_one_that_hangs_does_not_work_and_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerators, "_DEADLINE_S", 0.3)
    program = a_qemu(tmp_path / "bin", f"echo $$ >{tmp_path}/pid\nexec sleep 60")
    begun = time.monotonic()

    assert not works_here(program, X86_64, "kvm")
    assert time.monotonic() - begun < 10
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_one_that_cannot_be_started_does_not_work(tmp_path: Path) -> None:
    assert not works_here(str(tmp_path / "nowhere"), X86_64, "kvm")


def test_the_firmware_is_one_that_each_machine_begins_in(tmp_path: Path) -> None:
    copy = f'while [ "$1" != -bios ]; do shift; done; cp "$2" {tmp_path}/rom'
    works_here(a_qemu(tmp_path / "bin", copy), X86_64, "kvm")
    rom = (tmp_path / "rom").read_bytes()

    assert len(rom) == 1 << 16
    # The reset vector lies 16 bytes before the end: mov al, 0; out 0xf4, al.
    assert rom[-16:-12] == bytes([0xB0, 0, 0xE6, 0xF4])
    works_here(a_qemu(tmp_path / "bin", copy, ARM64), ARM64, "kvm")
    assert len((tmp_path / "rom").read_bytes()) == 16


def test_what_was_found_out_is_kept_until_the_program_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("LKM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(accelerators, "_hosts_own", lambda _machine: "kvm")
    tried = tmp_path / "tried"
    a_qemu(tmp_path / "bin", f"echo x >>{tried}; exit 1")

    assert [accelerator_for(X86_64) for _ in range(3)] == ["kvm"] * 3
    assert tried.read_text() == "x\n"

    a_qemu(tmp_path / "bin", f"echo y >>{tried}; exit 77")
    assert [accelerator_for(X86_64) for _ in range(3)] == ["tcg"] * 3
    assert tried.read_text() == "x\ny\n"


def test_another_machine_is_emulated_without_a_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    other = ARM64 if of_host() is X86_64 else X86_64
    a_qemu(tmp_path / "bin", f"touch {tmp_path}/tried", other)

    assert accelerator_for(other) == "tcg"
    assert not os.path.exists(tmp_path / "tried")


def test_without_qemu_the_packages_of_five_distributions_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for machine in (X86_64, ARM64):
        with pytest.raises(NoLabProgramError) as caught:
            accelerator_for(machine)

        assert dict(machine.packages).keys() == {"debian", "fedora", "arch", "opensuse", "alpine"}
        assert all(package in caught.value.remedy for _name, package in machine.packages)


def test_a_machine_has_the_names_that_uname_and_debian_give_it() -> None:
    assert architecture("amd64") is architecture("x86_64") is of_machine(62) is X86_64
    assert architecture("aarch64") is architecture("arm64") is of_machine(183) is ARM64
    assert of_machine(22) is None
