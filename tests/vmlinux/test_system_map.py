"""System.map: the real one, Debian's stub, and what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.system_map import (
    START_SIZE,
    is_system_map,
    parse_system_map,
    read_system_map,
    release_of_system_map,
)

MAP = (
    b"0000000000000000 A fixed_percpu_data\n"
    b"ffffffff81000000 T _text\n"
    b"ffffffff81000010 t do_it.llvm.12\n"
)
STUB = b"ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n"


def test_a_line_is_an_address_a_type_and_a_name() -> None:
    assert parse_system_map(MAP) == KernelSymbols(
        addresses=(0, 0xFFFFFFFF81000000, 0xFFFFFFFF81000010),
        types="ATt",
        names=("fixed_percpu_data", "_text", "do_it.llvm.12"),
    )


def test_the_symbols_are_written_as_they_were_read() -> None:
    narrow = b"c1000000 T _text\nc1000010 d init_task\n"
    for data in (MAP, narrow):
        symbols = parse_system_map(data)
        assert isinstance(symbols, KernelSymbols)
        assert symbols.as_text() == data


def test_debians_stub_is_recognised_and_tells_where_the_real_one_is() -> None:
    assert len(STUB) == 83
    answer = parse_system_map(STUB)

    assert isinstance(answer, CouldNotTell)
    assert "linux-image-<version>-dbg" in answer.why


@pytest.mark.parametrize("whole", [MAP, STUB])
def test_a_map_that_is_cut_inside_a_line_is_an_error(whole: bytes) -> None:
    for size in range(len(whole)):
        cut = whole[:size]
        if size and cut.endswith(b"\n"):
            assert isinstance(parse_system_map(cut), KernelSymbols)
            continue
        with pytest.raises(FormatError) as caught:
            parse_system_map(cut)
        assert caught.value.offset == cut.rfind(b"\n") + 1


@pytest.mark.parametrize(
    "line",
    [
        b"ffffffff81000020 T\n",
        b"ffffffff81000020 T two words\n",
        b"ffffffff8100002 T short\n",
        b"ffffffff81000020 TT long\n",
        b"xfffffff81000020 T letters\n",
        b"ffffffff81000020 T carriage\r\n",
        b"\n",
        b"root:x:0:0:root:/root:/bin/sh\n",
    ],
)
def test_an_error_names_the_line(line: bytes) -> None:
    with pytest.raises(FormatError, match="line 4 is no symbol") as caught:
        parse_system_map(MAP + line + MAP)
    assert caught.value.offset == len(MAP)


def test_a_file_is_recognised_by_its_first_bytes_and_its_release_by_its_name() -> None:
    assert is_system_map(MAP[:START_SIZE])
    assert is_system_map(b"c1000000 T _text\n"[:START_SIZE])
    assert is_system_map(STUB[:START_SIZE])
    assert not is_system_map(b"")
    assert not is_system_map(b"MZ" + bytes(17))
    assert release_of_system_map("/boot/System.map-6.1.0-56-amd64") == "6.1.0-56-amd64"
    assert release_of_system_map("/boot/System.map") == ""


def test_errors_of_reading_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "System.map-1"
    with pytest.raises(FileError):
        read_system_map(str(path))
    path.write_bytes(MAP[:-3])
    with pytest.raises(FormatError, match=r"System\.map-1: System\.map: line 3 is cut off"):
        read_system_map(str(path))


@pytest.mark.debian
def test_debian_installs_the_stub(debian_root: Path, debian_release: str) -> None:
    path = debian_root / "boot" / f"System.map-{debian_release}"
    assert isinstance(read_system_map(str(path)), CouldNotTell)
