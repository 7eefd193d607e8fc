from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lkm.cpio import parse_archive
from lkm.errors import NoLabProgramError
from lkm.lab.initramfs import busybox, files_in, program_initramfs


def test_a_static_program_is_the_init_and_files_lie_in_their_folder() -> None:
    entries = parse_archive(program_initramfs(b"\x7fELF", files_in("ko", {"a.ko": b"1"})))

    files = {entry.name: entry for entry in entries}
    assert files["init"].data == b"\x7fELF"
    assert stat.S_IMODE(files["init"].mode) == 0o755
    assert files["ko/a.ko"].data == b"1"
    names = [entry.name for entry in entries]
    assert names.index("ko") < names.index("ko/a.ko")
    assert {"dev", "proc", "sys"} <= set(names)


def test_a_dynamic_busybox_is_refused_with_debians_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "busybox").write_bytes(b"\x7fELF/lib64/ld-linux-x86-64.so.2")
    (tmp_path / "busybox").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NoLabProgramError, match="not statically linked") as caught:
        busybox()

    assert caught.value.package == "busybox-static"
