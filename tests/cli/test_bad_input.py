"""What is wrong is said in one line with cause and remedy, and never as a traceback."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from lkm.cli import modprobe
from lkm.cli.console import Closed, Console
from lkm.cli.dropin import read_options
from tests.builders.elf import a_module
from tests.builders.tree import RELEASE, a_root
from tests.cli.running import lkm


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def test_a_missing_tree_names_the_releases_that_are_there(root: Path) -> None:
    ran = lkm("modprobe", "-d", str(root), "-S", "9.9.9", "-D", "vfat", terminal=True)

    directory = f"{root}/lib/modules/9.9.9"
    assert ran.status == 1
    assert ran.err.splitlines() == [
        f"modprobe: FATAL: Module vfat not found in directory {directory}",
        f"modprobe: NOTICE: no such modules directory; there are: {RELEASE}",
    ]


def test_find_in_a_missing_tree_cannot_tell(root: Path) -> None:
    ran = lkm("find", "--root", str(root), "--release", "9.9.9", "--json")

    assert ran.status == 3
    assert RELEASE in one_line(ran.err)
    assert json.loads(ran.out)["error"]["kind"] == "NoTreeError"


def test_an_unknown_module_is_named_with_the_place_looked_at(root: Path) -> None:
    ran = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-D", "nothing")

    directory = root / "lib/modules" / RELEASE
    wanted = f"modprobe: FATAL: Module nothing not found in directory {directory}\n"
    assert (ran.status, ran.out, ran.err) == (1, "", wanted)
    assert lkm("modprobe", "-q", "-d", str(root), "-S", RELEASE, "-D", "nothing").err == ""


def test_with_all_a_missing_module_is_a_warning_and_the_rest_goes_on(root: Path) -> None:
    ran = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-D", "-a", "nothing", "lone")

    assert ran.status == 1
    assert ran.err.startswith("modprobe: WARNING: Module nothing not found")
    assert ran.out.endswith("/lone.ko \n")


def test_an_index_of_the_wrong_version_is_not_used_and_that_is_said(root: Path) -> None:
    index = root / "lib/modules" / RELEASE / "modules.dep.bin"
    data = bytearray(index.read_bytes())
    data[5] = 9
    index.write_bytes(data)

    ran = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-D", "vfat")

    assert ran.status == 0
    assert len(ran.out.splitlines()) == 3
    assert "modules.dep.bin" in one_line(ran.err)


def test_a_tree_without_indexes_answers_by_a_scan_and_says_so(tmp_path: Path) -> None:
    root = a_root(tmp_path)

    ran = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-D", "vfat")

    assert ran.status == 0
    assert [line.rpartition("/")[2] for line in ran.out.splitlines()][-1] == "vfat.ko "
    assert "scanning" in one_line(ran.err)


BROKEN = {
    "empty.ko": b"",
    "short.ko": a_module()[:200],
    "text.ko": b"This is no module, but some text that is longer than a header.\n" * 3,
    "cut.ko.gz": b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc",
    "cut.ko.xz": b"\xfd7zXZ\0\0\x04",
    "cut.ko.zst": b"\x28\xb5\x2f\xfd\x04\0",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.usefixtures("sandbox")
def test_a_broken_module_file_is_an_error_in_every_command(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[name])

    shown = lkm("modinfo", str(path), terminal=True)
    inserted = lkm("--on", "sandbox", "insmod", str(path))

    assert shown.status == 1
    assert shown.out == f"filename:       {path}\n"
    said, hint = shown.err.splitlines()
    reason = "Exec format error" if name == "text.ko" else "Invalid argument"
    module = name.partition(".")[0]
    assert said == f"modinfo: ERROR: could not get modinfo from '{module}': {reason}"
    assert hint.startswith(f"modinfo: NOTICE: {path}: ")
    assert inserted.status == 1
    assert str(path) in inserted.err.splitlines()[0]
    assert len(lkm("--on", "sandbox", "lsmod").out.splitlines()) == 1


@pytest.mark.usefixtures("sandbox")
def test_a_folder_is_no_module_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder.ko"
    folder.mkdir()

    text = f"could not insert module {folder}: Is a directory"
    assert one_line(lkm("--on", "sandbox", "insmod", str(folder)).err) == f"insmod: ERROR: {text}"
    assert lkm("modinfo", str(folder)).status == 1


def test_a_missing_file_is_told_in_kmods_words() -> None:
    ran = lkm("insmod", "/nowhere/x.ko")

    text = "could not load module /nowhere/x.ko: No such file or directory"
    assert (ran.status, ran.err) == (1, f"insmod: ERROR: {text}\n")


def test_a_dependency_loop_is_reported_and_all_is_indexed(tmp_path: Path) -> None:
    from tests.builders.elf import AnExport

    root = a_root(
        tmp_path,
        {
            "kernel/a.ko": a_module(name="a", exports=[AnExport(name="fa")], imports=["fb"]),
            "kernel/b.ko": a_module(name="b", exports=[AnExport(name="fb")], imports=["fa"]),
        },
    )

    ran = lkm("depmod", "-b", str(root), RELEASE)

    assert ran.status == 1
    assert ran.err.splitlines() == [
        "depmod: ERROR: Cycle detected: a -> b -> a",
        "depmod: ERROR: Found 2 modules in dependency cycles!",
    ]
    listed = (root / "lib/modules" / RELEASE / "modules.dep").read_text()
    assert listed == "kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n"


def test_a_bad_version_is_refused() -> None:
    ran = lkm("depmod", "nonsense")

    assert (ran.status, ran.err) == (1, "depmod: ERROR: Bad version passed nonsense\n")


# The running kernel is asked here; test_console.py has what is said of either anywhere.
def test_a_kernel_without_module_support_says_so_and_names_the_sandbox() -> None:
    ran = lkm("lsmod")

    if Path("/proc/modules").exists():
        assert (ran.status, ran.out.split()[:2]) == (0, ["Module", "Size"])
        return
    assert ran.status == 1
    assert ran.err.splitlines()[1:] == [
        "lsmod: ERROR: could not get list of modules: No such file or directory",
        "lsmod: NOTICE: this kernel has no support for loadable modules; use `--on sandbox`: "
        "a kernel in a file, which needs no root",
    ]


def test_a_sandbox_never_booted_boots_the_teaching_kernel_and_says_so_once(
    tmp_path: Path,
) -> None:
    state = {"LKM_STATE": str(tmp_path / "none")}
    ran = lkm("--on", "sandbox", "lsmod", env=state)
    again = lkm("--on", "sandbox", "lsmod", env=state)

    assert (ran.status, again.status) == (0, 0)
    assert "the teaching kernel now" in one_line(ran.err)
    assert "lkm sandbox boot" in ran.err
    assert (again.out, again.err) == (ran.out, "")


def test_a_state_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("my diary\n" * 100)

    for words in (("--on", "sandbox", "lsmod"), ("sandbox", "status"), ("sandbox", "reset")):
        ran = lkm(*words, env={"LKM_STATE": str(state)})
        assert ran.status in (1, 3)
        assert str(state) in one_line(ran.err)
    assert state.read_text().startswith("my diary")


def test_wrong_usage_has_its_own_status() -> None:
    assert lkm("nonsense").status == 2
    assert lkm("find", "--nonsense").status == 2
    assert lkm("--on", "mars", "lsmod").status == 1
    assert lkm("lsmod", "surplus").err == "lsmod: ERROR: too many arguments provided.\n"
    assert lkm("insmod").err == "insmod: ERROR: missing filename.\n"
    assert lkm("rmmod").err == "rmmod: ERROR: missing module name.\n"
    assert lkm("modprobe").err == "modprobe: ERROR: missing parameters. See -h.\n"
    assert lkm("modinfo").err == "modinfo: ERROR: missing module or filename.\n"
    assert lkm("insmod", "--nope").err == "insmod: unrecognized option '--nope'\n"
    assert lkm("--nope", called="/x/lsmod").err == "/x/lsmod: unrecognized option '--nope'\n"


def test_bytes_that_are_not_utf_8_pass_through_unharmed(tmp_path: Path) -> None:
    path = tmp_path / "odd.ko"
    path.write_bytes(a_module(name="odd", modinfo=[b"author=J\xf6rg"]))

    ran = lkm("modinfo", "-F", "author", str(path))

    assert ran.out.encode("utf-8", "surrogateescape") == b"J\xf6rg\n"


def test_modprobe_without_a_stderr_speaks_to_syslog(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("syslog.syslog", lambda _level, text: said.append(text))
    out = io.StringIO()
    console = Console("modprobe", out, Closed(strict=False))  # type: ignore[arg-type]  # all of it

    words = ["-d", str(root), "-S", RELEASE, "-D", "nothing"]
    parsed = read_options(modprobe.COMMAND, words, console)
    assert parsed is not None
    assert modprobe.run(parsed, console) == 1

    directory = root / "lib/modules" / RELEASE
    assert said == [f"FATAL: Module nothing not found in directory {directory}"]
