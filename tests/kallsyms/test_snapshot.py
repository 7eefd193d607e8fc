from __future__ import annotations

import os
import random
import struct
import threading
import zlib
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError
from lkm.kallsyms import snapshot
from lkm.kallsyms.snapshot import is_snapshot, load, read_snapshot, save, write_snapshot
from lkm.kallsyms.table import SymbolTable
from tests.kallsyms.tables import TEXT

TABLE = SymbolTable.from_text(TEXT, release="6.1.0-test")


def a_snapshot(content: bytes, *, version: int = 1, size: int | None = None) -> bytes:
    """Return a snapshot whose checksum is right, whatever is in it."""
    header = struct.pack(
        "<12sHBBII",
        *(b"lkm symbols\n", version, 8, 0, zlib.crc32(content)),
        len(content) if size is None else size,
    )
    return header + zlib.compress(content)


def test_a_table_comes_back_with_its_release() -> None:
    back = load(save(TABLE))

    assert back == TABLE
    assert back.release == "6.1.0-test"
    assert back.modules == TABLE.modules
    assert back.as_text() == TEXT


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"c1000000 T _stext\nc1000010 t a\t[fat]\n",
        b"0000000000000000 T hidden\n",
        b"ffffffff81000000 T caf\xe9\n",
    ],
)
def test_odd_tables_come_back_too(text: bytes) -> None:
    assert load(save(SymbolTable.from_text(text))).as_text() == text


def test_a_file_is_written_whole_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "now"
    path.write_text("old")

    write_snapshot(TABLE, str(path))

    assert read_snapshot(str(path)) == TABLE
    assert list(tmp_path.iterdir()) == [path]


def test_the_text_of_proc_kallsyms_is_read_as_well(tmp_path: Path) -> None:
    path = tmp_path / "kallsyms"
    path.write_bytes(TEXT)

    assert read_snapshot(str(path)).names == TABLE.names
    assert not is_snapshot(TEXT)
    assert is_snapshot(save(TABLE))


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad"
    path.write_bytes(save(TABLE)[:-1])

    with pytest.raises(FormatError, match=str(path)):
        read_snapshot(str(path))
    with pytest.raises(FileError, match="nowhere"):
        read_snapshot(str(tmp_path / "nowhere"))
    with pytest.raises(FileError, match="cannot write"):
        write_snapshot(TABLE, str(tmp_path / "no" / "folder"))


@pytest.mark.parametrize("size", range(len(save(TABLE))))
def test_a_snapshot_cut_anywhere_is_a_format_error(size: int) -> None:
    with pytest.raises(FormatError):
        load(save(TABLE)[:size])


@pytest.mark.parametrize("offset", range(len(save(TABLE))))
def test_a_snapshot_with_any_byte_changed_is_a_format_error(offset: int) -> None:
    data = bytearray(save(TABLE))
    data[offset] ^= 0x55

    with pytest.raises(FormatError):
        load(bytes(data))


def test_bytes_after_the_end_are_a_format_error() -> None:
    with pytest.raises(FormatError, match="after its end"):
        load(save(TABLE) + b"\0")


def test_another_version_is_named() -> None:
    with pytest.raises(FormatError, match="version 2 is not known"):
        load(a_snapshot(b"", version=2))


def test_a_snapshot_that_claims_gigabytes_is_refused() -> None:
    with pytest.raises(FormatError, match="claims"):
        load(a_snapshot(b"\0" * 8, size=0xFFFFFFF0))


def test_a_snapshot_that_grows_past_what_it_says_is_refused() -> None:
    with pytest.raises(FormatError, match="longer than it says"):
        load(a_snapshot(bytes(1000), size=10))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"release",
        b"r\0",
        b"r\0" + struct.pack("<I", 5) + b"T",
        b"r\0" + struct.pack("<I", 0xFFFFFFFF),
        b"r\0" + struct.pack("<I", 1) + b"T" + bytes(8) + struct.pack("<I", 0xFFFFFFFF),
        b"r\0" + struct.pack("<I", 1) + b"T" + bytes(8) + struct.pack("<II", 1, 2) + b"\0n\n",
        b"r\0" + struct.pack("<I", 1) + b"T" + bytes(8) + struct.pack("<II", 1, 1) + b"n\n",
        b"r\0" + struct.pack("<I", 1) + b"T" + bytes(8) + struct.pack("<II", 1, 1) + b"\0n\nm\n",
        b"r\0" + struct.pack("<I", 1) + b"T" + bytes(8) + struct.pack("<II", 1, 1) + b"\0n",
    ],
)
def test_content_made_to_deceive_is_a_format_error(content: bytes) -> None:
    with pytest.raises(FormatError):
        load(a_snapshot(content))


def test_a_name_with_a_line_end_cannot_be_kept() -> None:
    with pytest.raises(FormatError, match="line end"):
        save(SymbolTable.from_symbols([(1, "T", "a\nb", "")]))
    with pytest.raises(FormatError, match="type letter"):
        save(SymbolTable.from_symbols([(1, "\u20ac", "a", "")]))


@pytest.mark.parametrize("old", [b"old", None])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path: Path, old: bytes | None) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if old is not None:
        target.write_bytes(old)
        target.chmod(0o640)
    link.symlink_to("target")

    write_snapshot(TABLE, str(link))

    assert link.is_symlink()
    assert read_snapshot(str(target)) == TABLE
    assert old is None or target.stat().st_mode & 0o777 == 0o640
    assert sorted(tmp_path.iterdir()) == [link, target]


def test_a_fifo_is_written_into_and_stays_one(tmp_path: Path) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    for path in (fifo, link):
        # Held open, so that what is written stays there to be read.
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            write_snapshot(TABLE, str(path))
            assert load(os.read(reader, 1 << 16)) == TABLE
        finally:
            os.close(reader)

    assert fifo.is_fifo()
    assert link.is_symlink()


def test_a_table_larger_than_a_pipe_is_written_whole(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    chance = random.Random(3)
    table = SymbolTable.from_symbols(
        [(chance.getrandbits(64), "t", f"f{row}", "") for row in range(20_000)]
    )
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()

    write_snapshot(table, str(fifo))

    reader.join()
    assert len(read[0]) > 1 << 16
    assert read[0] == save(table)


def test_a_folder_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="Is a directory"):
        write_snapshot(TABLE, str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    for path in (str(fifo), str(tmp_path)):
        with pytest.raises(FileError, match=path) as caught:
            read_snapshot(path)
        assert caught.value.operation == "read"


def test_a_file_larger_than_any_table_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(TEXT)
    monkeypatch.setattr(snapshot, "_LARGEST_FILE", len(TEXT))
    assert len(read_snapshot(str(path))) == 9
    monkeypatch.setattr(snapshot, "_LARGEST_FILE", len(TEXT) - 1)

    with pytest.raises(FormatError, match=str(path)):
        read_snapshot(str(path))
