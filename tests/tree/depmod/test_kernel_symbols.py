"""Reading what a kernel exports from Module.symvers and System.map."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

import pytest

from lkm.errors import FileError
from lkm.tree.depmod.kernel_symbols import as_exported, read_symvers, read_system_map

MADE_UP = {"__this_module": 0, "_GLOBAL_OFFSET_TABLE_": 0, "TOC.": 0}


def test_the_kernels_own_lines_of_a_symvers_count(tmp_path: Path) -> None:
    path = tmp_path / "Module.symvers"
    path.write_text(
        "0x0000beef\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n"
        "0x1 of_a_module drivers/x EXPORT_SYMBOL\n"
        "ff blanks vmlinux EXPORT\n"
        "\n0x2\n0x3 three vmlinux\n"
        "0x4\tlast\tvmlinux\tEXPORT_SYMBOL"
    )

    symbols = read_symvers(str(path))

    assert symbols.crcs == {**MADE_UP, "printk": 0xBEEF, "blanks": 0xFF, "last": 4}
    assert symbols.has_crcs
    assert symbols.problems == ()


@pytest.mark.parametrize("word", ["zz", "0x", "-1", "1.5"])
def test_a_version_that_is_no_number_is_a_problem(tmp_path: Path, word: str) -> None:
    path = tmp_path / "Module.symvers"
    path.write_text(f"0x1\ta\tvmlinux\tx\n{word}\tb\tvmlinux\tx\n")

    symbols = read_symvers(str(path))

    assert "b" not in symbols.crcs
    (problem,) = symbols.problems
    assert problem.text == f"{path}:2 Invalid symbol version {word}: Invalid argument"
    assert (problem.kind, problem.path) == ("bad-line", str(path))


def test_exports_of_a_system_map_have_no_crcs(tmp_path: Path) -> None:
    path = tmp_path / "System.map"
    path.write_text("00 T printk\n00 r __ksymtab_printk\n01 r ___ksymtab_x\nbad line\n")

    symbols = read_system_map(str(path))

    assert symbols.crcs == {**MADE_UP, "printk": 0}
    assert not symbols.has_crcs
    assert [problem.text for problem in symbols.problems] == [f"{path}:4: invalid line: bad line\n"]
    assert read_system_map(str(path), "_").crcs == {**MADE_UP, "x": 0}


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("00 r __ksymtab_a\n",))
    writer.start()

    assert "a" in read_system_map(str(pipe)).crcs
    writer.join()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    for read in (read_symvers, read_system_map):
        with pytest.raises(FileError) as caught:
            read(str(tmp_path / "none"))
        assert caught.value.path == str(tmp_path / "none")


def test_a_dot_and_then_the_prefix_do_not_count() -> None:
    assert as_exported("._open", "_") == "open"
    assert as_exported("_open", "_") == "open"
    assert as_exported("_.open", "_") == ".open"
    assert as_exported("_open", "") == "_open"
