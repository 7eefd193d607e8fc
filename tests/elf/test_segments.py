from __future__ import annotations

import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.elf.segments import mapped_part
from tests.builders.elf import an_elf
from tests.builders.vmlinux import an_elf_kernel
from tests.conftest import missing


def segments_end(data: bytes) -> int:
    """Return where the one segment of ``an_elf_kernel`` ends."""
    if data[4] == 2:
        end: int = struct.unpack_from("<Q" if data[5] == 1 else ">Q", data, 64 + 32)[0]
    else:
        end = struct.unpack_from("<I" if data[5] == 1 else ">I", data, 52 + 16)[0]
    return end


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_mapped_stays_and_nothing_behind_it(bits: int, order: str) -> None:
    data = an_elf_kernel(bits=bits, order=order)
    cut = mapped_part(data)
    end = segments_end(data)

    assert len(cut) == end < len(data)
    # The header tells of no section table any more; all else is as it was.
    differing = {place for place in range(end) if cut[place] != data[place]}
    fields = {*range(40, 48), 60, 61, 62, 63} if bits == 64 else {*range(32, 36), *range(48, 52)}
    assert differing <= fields
    assert not any(cut[place] for place in fields)


def test_it_may_be_cut_twice() -> None:
    cut = mapped_part(an_elf_kernel())

    assert mapped_part(cut) == cut


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF", an_elf()])
def test_what_has_no_segments_stays(data: bytes) -> None:
    assert mapped_part(data) == data


def test_cut_anywhere_it_stays_or_is_the_mapped_part() -> None:
    data = an_elf_kernel()
    for end in range(len(data)):
        assert mapped_part(data[:end]) in (data[:end], mapped_part(data))


def test_with_any_byte_of_the_headers_changed_it_is_bytes() -> None:
    data = an_elf_kernel()
    for place in range(120):
        for value in (0, 0x7F, 0xFF):
            changed = bytearray(data)
            changed[place] = value
            assert len(mapped_part(bytes(changed))) <= len(data)


@pytest.mark.oracle
def test_readelf_sees_the_same_segments_of_a_real_program(tmp_path: Path) -> None:
    readelf = shutil.which("readelf")
    if readelf is None:
        missing("oracle", "there is no readelf")
    cut = tmp_path / "python"
    cut.write_bytes(mapped_part(Path(sys.executable).resolve().read_bytes()))

    def segments(path: str) -> list[str]:
        done = subprocess.run(
            [str(readelf), "-W", "-l", path], capture_output=True, text=True, check=True
        )
        return re.findall(r"^ +\S+ +0x.*0x.*$", done.stdout, re.MULTILINE)

    assert segments(str(cut)) == segments(sys.executable) != []


def test_a_real_program_runs_without_what_is_not_mapped(tmp_path: Path) -> None:
    program = tmp_path / "true"
    program.write_bytes(mapped_part(Path("/bin/true").resolve().read_bytes()))
    program.chmod(0o755)

    assert subprocess.run([program], check=False).returncode == 0
