from __future__ import annotations

import stat

from lkm.cpio import parse_archive
from lkm.lab.initramfs import files_in, program_initramfs


def test_a_static_program_is_the_init_and_files_lie_in_their_folder() -> None:
    entries = parse_archive(program_initramfs(b"\x7fELF", files_in("ko", {"a.ko": b"1"})))

    files = {entry.name: entry for entry in entries}
    assert files["init"].data == b"\x7fELF"
    assert stat.S_IMODE(files["init"].mode) == 0o755
    assert files["ko/a.ko"].data == b"1"
    names = [entry.name for entry in entries]
    assert names.index("ko") < names.index("ko/a.ko")
    assert {"dev", "proc", "sys"} <= set(names)
