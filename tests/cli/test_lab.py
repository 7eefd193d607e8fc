"""lkm lab, with a made-up QEMU: what it refuses, and what it makes of what a guest says."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.lab import session
from lkm.lab.architectures import X86_64
from tests.builders.qemu import a_made_up_qemu
from tests.builders.tree import RELEASE, a_root
from tests.builders.vmlinux import a_raw_image, an_elf_kernel
from tests.cli.running import Ran, lkm
from tests.report.validating import validate

CONFIG = (
    *("BLK_DEV_INITRD", "BINFMT_ELF", "BINFMT_SCRIPT", "PROC_FS", "SYSFS", "DEVTMPFS"),
    *("SERIAL_8250_CONSOLE", "MODULES"),
)
HELLO = ("channel", b"hello 0\n")
OOPS = Path(__file__).parents[1] / "lab/consoles/x86-oops.txt"
PANIC = Path(__file__).parents[1] / "lab/consoles/x86-panic-6.12.txt"


def frame(kind: str, data: bytes) -> tuple[str, bytes]:
    return "channel", b"%s %d\n%s" % (kind.encode(), len(data), data)


def status(number: int) -> list[tuple[str, bytes]]:
    return [frame("ended", b"%d" % number), frame("status", b"%d" % number)]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a kernel below ``root``, and a QEMU in ``bin`` that ends at once."""
    root = a_root(tmp_path / "root")
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(an_elf_kernel())
    config = "".join(f"CONFIG_{name}=y\n" for name in CONFIG)
    (root / f"boot/config-{RELEASE}").write_text(config)
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    a_made_up_qemu(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    return tmp_path


def lab(machine: Path, *words: str) -> Ran:
    return lkm("lab", "--root", str(machine / "root"), *words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a shell needs a terminal"),
        (("--terminal", "--", "sh"), "a shell needs a terminal"),
        (("--each", RELEASE), "--each runs a command"),
        (("--each", RELEASE, "--release", RELEASE, "--", "true"), "--each names the kernels"),
        (("--each", RELEASE, "--terminal", "--", "true"), "none of them has the terminal"),
        (("--each", ",", "--", "true"), "--each takes releases"),
        (("--json",), "--json is for a command"),
        (("--json", "--terminal", "--", "sh"), "--json is for a command"),
        (("--arch", "vax", "--", "true"), "no lab for the architecture 'vax'"),
        (("--arch", "arm64", "--", "true"), "a kernel for another machine than arm64"),
        (("true",), "unrecognized arguments: true"),
        (("--copy",), "expected one argument"),
        *((("--memory", text, "--", "true"), "is no number of MiB") for text in ("0", "x", "1.5")),
        *(
            (("--timeout", text, "--", "true"), "is no number of seconds")
            for text in ("0", "-1", "x", "nan", "inf")
        ),
    ],
)
def test_a_line_that_cannot_be_meant_is_wrong_usage(
    machine: Path, words: tuple[str, ...], said: str
) -> None:
    ran = lab(machine, *words)

    assert (ran.status, ran.out.count("\n") > 1) == (2, "--json" in words)
    assert said in ran.err
    assert not (machine / "bin/asked").exists()


def test_lab_has_no_on() -> None:
    ran = lkm("--on", "sandbox", "lab", "--", "true")

    assert (ran.status, ran.out) == (2, "")
    assert "takes no --on" in ran.err


def test_without_qemu_the_packages_of_five_distributions_are_named(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(machine))
    ran = lab(machine, "--", "true")

    assert (ran.status, ran.out) == (125, "")
    assert all(f" {package} (" in ran.err for _name, package in X86_64.packages)


def test_a_kernel_without_an_image_is_told_with_those_that_have_one(machine: Path) -> None:
    ran = lab(machine, "--release", "9.9", "--", "true")

    assert (ran.status, ran.out) == (125, "")
    assert "the kernel 9.9 has no image under" in ran.err
    assert f"there are: {RELEASE}" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--memory", "1", "--", "true"), "1 MiB of memory are too few"),
        (("--modules", "nosuch", "--", "true"), "nosuch"),
        (("--copy", "/proc", "--", "true"), "/proc cannot be copied"),
        (("--copy", "/nowhere", "--", "true"), "cannot read /nowhere"),
        (("--vmlinux", "/dev/null", "--", "true"), "/dev/null"),
    ],
)
def test_what_will_not_do_is_said_before_anything_starts(
    machine: Path, words: tuple[str, ...], said: str
) -> None:
    ran = lab(machine, *words)

    assert (ran.status, ran.out) == (125, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (machine / "bin/asked").exists()


def test_an_option_that_the_kernel_lacks_is_named(machine: Path) -> None:
    config = machine / f"root/boot/config-{RELEASE}"
    config.write_text(config.read_text().replace("CONFIG_DEVTMPFS=y\n", ""))
    ran = lab(machine, "--", "true")

    assert ran.status == 125
    assert f"CONFIG_DEVTMPFS=y for /dev ({config})" in ran.err


def test_an_image_of_another_machine_wants_its_busybox(machine: Path) -> None:
    (machine / f"root/boot/vmlinuz-{RELEASE}").write_bytes(a_raw_image())
    (machine / f"root/boot/config-{RELEASE}").unlink()
    a_made_up_qemu(machine / "bin", name="qemu-system-aarch64")
    ran = lab(machine, "--", "true")

    assert ran.status == 125
    assert "there is no busybox for arm64" in ran.err
    assert "lkm lab get" in ran.err


def test_a_command_has_its_output_and_its_status(
    machine: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    said = [HELLO, frame("out", b"a\n\xff"), frame("errz", gzip.compress(b"bad\n")), *status(7)]
    a_made_up_qemu(machine / "bin", said, stays_s=60)
    ran = lab(machine, "--", "sh", "-c", "exit 7")

    shown = capfdbinary.readouterr()
    assert (ran.status, ran.err, shown.out, shown.err) == (7, "", b"a\n\xff", b"bad\n")


def test_the_document_has_what_was_written(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [HELLO, frame("out", b"a\xff"), *status(0)])
    ran = lab(machine, "--json", "--", "true")

    document = validate(ran.out)
    assert ran.status == 0
    assert document["stdout"] == {"encoding": "base64", "data": "Yf8="}
    assert document["stderr"] == {"encoding": "utf-8", "data": ""}
    assert (document["verdict"], document["status"], document["fault"]) == ("ended", 0, None)


def test_qemu_is_asked_for_what_was_asked_for(machine: Path) -> None:
    asked = a_made_up_qemu(machine / "bin", [HELLO, *status(0)])
    lab(machine, "--memory", "2000", "--append", "nokaslr debug", "--", "true")

    words = asked.read_text().rstrip("\n").split("\0")
    assert words[words.index("-m") + 1] == "2000"
    line = words[words.index("-append") + 1]
    assert line.startswith("console=ttyS0 quiet panic=-1 unknown_nmi_panic")
    assert line.endswith(" nokaslr debug")


def test_an_oops_ends_it_with_a_report(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [HELLO, ("console", OOPS.read_bytes())], stays_s=60)
    ran = lab(machine, "--", "insmod", "mine.ko")

    assert ran.status == 126
    first, *lines = ran.err.splitlines()
    assert first.startswith("lkm lab: ERROR: the kernel oopsed in tm_oops: BUG: kernel NULL")
    assert lines[-1] == "---[ end trace 0000000000000000 ]---"


def test_a_panic_ends_it_even_behind_the_commands_status(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [HELLO, *status(0), ("console", PANIC.read_bytes())])
    ran = lab(machine, "--json", "--", "true")

    document = validate(ran.out)
    assert (ran.status, document["verdict"], document["status"]) == (126, "panic", 0)


def test_a_command_that_does_not_end_is_told_with_the_module_that_holds_it(machine: Path) -> None:
    state = frame("state", b"mine 16384 1 - Loading 0xffffffffc0000000 (+)\n")
    a_made_up_qemu(machine / "bin", [HELLO, ("asked", b"state\n"), state], stays_s=60)
    ran = lab(machine, "--timeout", "0.5", "--", "insmod", "mine.ko")

    assert ran.status == 124
    assert "the command still ran after" in ran.err
    assert "mine is Loading" in ran.err


def test_a_kernel_that_never_comes_to_the_init_is_told_with_its_last_words(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [("console", b"[    0.1] waiting\r\n")], stays_s=60)
    ran = lab(machine, "--timeout", "0.5", "--", "true")

    assert ran.status == 124
    assert "the kernel had not come to the lab's init" in ran.err
    assert ran.err.splitlines()[-1] == "[    0.1] waiting"


def test_a_qemu_that_ends_by_itself_is_told_with_what_it_said(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [("stderr", b"qemu: no such machine\n")])
    ran = lab(machine, "--", "true")

    assert ran.status == 125
    assert "qemu: no such machine" in ran.err


def test_a_guest_that_says_nonsense_is_ended(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [HELLO, ("channel", b"out 99999999\n")], stays_s=60)
    ran = lab(machine, "--", "true")

    assert (ran.status, ran.out) == (125, "")


def test_what_a_command_left_behind_may_write_for_a_while_and_no_longer(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "_LEFT_BEHIND_S", 0.5)
    again = [frame("out", b"x\n"), ("sleep", b"0.1")]
    a_made_up_qemu(machine / "bin", [HELLO, frame("ended", b"0"), *again * 300], stays_s=60)
    ran = lab(machine, "--timeout", "20", "--", "true")

    assert (ran.status, ran.err) == (0, "")
    assert 2 < capfd.readouterr().out.count("x") < 200


def test_output_that_was_lost_is_a_failure(machine: Path) -> None:
    said = [HELLO, frame("ended", b"0"), frame("lost", b""), frame("status", b"0")]
    a_made_up_qemu(machine / "bin", said)
    ran = lab(machine, "--", "true")

    assert ran.status == 125
    assert "what the command wrote is lost" in ran.err


def test_a_guest_without_memory_is_told_of(machine: Path) -> None:
    line = b"[    1.0] Out of memory: Killed process 101 (tail) total-vm:380896kB\r\n"
    a_made_up_qemu(machine / "bin", [HELLO, ("console", line), *status(137)])
    ran = lab(machine, "--", "true")

    assert ran.status == 137
    assert "WARNING: the guest ran out of memory (--memory): Out of memory: Killed" in ran.err


def test_a_reader_that_takes_nothing_does_not_keep_the_guest_past_its_time(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [HELLO, *[frame("out", bytes(60_000))] * 10], stays_s=60)
    words = [sys.executable, "-m", "lkm", "lab", "--root", str(machine / "root")]
    with subprocess.Popen(
        [*words, "--timeout", "1", "--", "true"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(timeout=30) == 124
        assert process.stderr is not None
        assert b"the command still ran after" in process.stderr.read()


def test_a_kernel_without_modules_starts_with_a_notice(machine: Path) -> None:
    (machine / "root/lib/modules" / RELEASE).rename(machine / "gone")
    a_made_up_qemu(machine / "bin", [HELLO, *status(0)])
    ran = lab(machine, "--release", RELEASE, "--", "true")

    assert ran.status == 0
    assert "NOTICE" in ran.err
    assert "the guest has only what is built into its kernel" in ran.err


def test_each_kernel_has_its_line_and_the_worst_decides(machine: Path) -> None:
    a_made_up_qemu(machine / "bin", [HELLO, frame("out", b"one\nlast\n"), *status(0)])
    fine = lab(machine, "--each", RELEASE, "--", "true")
    one_fails = lab(machine, "--each", f"{RELEASE},9.9", "--", "true")
    a_made_up_qemu(machine / "bin", [HELLO, *status(2)])
    one_is_bad = lab(machine, "--each", f"9.9,{RELEASE}", "--json", "--", "true")

    assert (fine.status, one_fails.status, one_is_bad.status) == (0, 3, 1)
    head, line = fine.out.splitlines()
    assert head.split() == ["RELEASE", "RESULT", "SECONDS", "SAID"]
    assert (line.split()[:2], line.split()[3]) == ([RELEASE, "ok"], "last")
    assert "the kernel 9.9 has no image" in one_fails.out
    assert "ERROR: 9.9: the kernel 9.9 has no image" in one_fails.err
    assert "there are: " in one_fails.err, "what helps"
    runs = json.loads(one_is_bad.out)["runs"]
    assert [run["verdict"] for run in runs] == ["failed", "ended"]
    # stderr is the same with and without --json.
    assert one_is_bad.err == one_fails.err
