"""``lkm lab`` as a user runs it: what a command in a guest writes, returns, and may break."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lkm.errors import FetchError
from lkm.lab.architectures import ARM64, X86_64
from lkm.lab.fetch.programs import fetch_busybox
from tests.conftest import missing
from tests.debian import NotHere
from tests.debian import a_kernel as debian_kernel
from tests.lab.labs import a_kernel
from tests.outcomes.kernels import RealKernel

pytestmark = [pytest.mark.lab, pytest.mark.debian]

LKM = [sys.executable, "-m", "lkm"]
MIB = 1 << 20


@dataclass(frozen=True)
class Ended:
    status: int
    out: bytes
    err: str


@dataclass(frozen=True)
class Kernels:
    old: RealKernel
    new: RealKernel
    data: Path  # LKM_DATA, where both count as fetched
    folder: Path

    def start(self, words: Sequence[str], **more: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "LKM_DATA": str(self.data), "LKM_CACHE": str(self.cache)}
        return subprocess.Popen(
            [*LKM, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env={**environment, **more},
        )

    @property
    def cache(self) -> Path:
        return self.data.parent / "cache"

    def run(self, *words: str) -> Ended:
        process = self.start(words)
        out, err = process.communicate()
        return Ended(process.returncode, out, err.decode())


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    for architecture in (X86_64, ARM64):
        if not any(
            os.access(f"{folder}/{architecture.qemu}", os.X_OK)
            for folder in os.environ["PATH"].split(":")
        ):
            missing("lab", f"{architecture.qemu} is not installed")
    data = tmp_path_factory.mktemp("data") / "lkm"
    (data / "kernels").mkdir(parents=True, mode=0o755)
    old, new = a_kernel("6.1"), a_kernel("6.12")
    for kernel in (old, new):
        # A link would not be believed: it may lead anywhere.
        root = data / "kernels" / kernel.release
        subprocess.run(["cp", "-al", kernel.root, root], check=True)
    folder = tmp_path_factory.mktemp("here")
    (folder / "random").write_bytes(os.urandom(MIB))
    (folder / "fails.ko").write_bytes(old.tiny("tm_initfail"))
    (folder / "oops.ko").write_bytes(old.tiny("tm_oops"))
    return Kernels(old, new, data, folder)


@pytest.fixture(scope="module")
def ended(kernels: Kernels) -> Iterator[dict[str, Future[Ended]]]:
    """Run all of them, two at a time: a guest keeps one processor busy."""
    first = f"--release={kernels.old.release}"
    both = f"{kernels.old.release},{kernels.new.release}"
    words: dict[str, tuple[str, ...]] = {
        "random": ("lab", first, "--", "sh", "-c", "cat random; echo 8 >&2; exit 7", "random"),
        "tour 6.1": ("tour", "--on", "lab", "--json", first),
        "tour 6.12": ("tour", "--on=lab", "--json", "--release", kernels.new.release),
        "panic": ("lab", first, "--", "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 9"),
        "each": ("lab", "--each", f"{both},1.0", "--json", "--", "insmod", "./fails.ko"),
        "no init": ("lab", first, "--append", "rdinit=/nothing", "--", "true"),
        "modprobe": ("--on", "lab", "modprobe", "-v", "-S", kernels.old.release, "vfat"),
        "leaves": ("lab", first, "--", "sh", "-c", "sleep 60 & echo done"),
    }
    # Made once, and not twice at the same time.
    kernels.run("lab", first, "--", "true")
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(kernels.run, *each) for name, each in words.items()}


def test_a_mebibyte_of_random_bytes_comes_back_with_the_exit_status(
    kernels: Kernels, ended: dict[str, Future[Ended]]
) -> None:
    one = ended["random"].result()
    sent = (kernels.folder / "random").read_bytes()

    assert hashlib.sha256(one.out).digest() == hashlib.sha256(sent).digest()
    assert (one.status, one.err) == (7, "8\n")


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_the_lesson_holds_on_a_real_kernel(ended: dict[str, Future[Ended]], series: str) -> None:
    one = ended[f"tour {series}"].result()
    told = json.loads(one.out)

    assert [each["claim"] for each in told["claims"] if not each["holds"]] == []
    assert len(told["claims"]) > 45
    assert told["release"].startswith(f"{series}.")
    assert one.status == 0


def test_a_panic_ends_the_lab_with_its_text(ended: dict[str, Future[Ended]]) -> None:
    one = ended["panic"].result()

    assert one.status == 126
    assert "the kernel panicked: Kernel panic - not syncing: sysrq triggered crash" in one.err
    assert "sysrq_handle_crash" in one.err


def test_a_kernel_that_never_comes_to_the_init_is_a_failure_of_the_lab(
    ended: dict[str, Future[Ended]],
) -> None:
    one = ended["no init"].result()

    assert (one.status, one.out) == (125, b"")
    assert "before the kernel came to the lab's init" in one.err


def test_a_table_has_a_row_for_each_kernel(
    kernels: Kernels, ended: dict[str, Future[Ended]]
) -> None:
    one = ended["each"].result()
    runs = json.loads(one.out)["runs"]

    assert one.status == 1
    assert [run["release"] for run in runs] == [kernels.old.release, kernels.new.release, "1.0"]
    assert [run["verdict"] for run in runs] == ["ended", "ended", "failed"]
    assert "No such device" in runs[0]["stderr"]["data"], "its own init says so"
    assert "Invalid module format" in runs[1]["stderr"]["data"], "it is for the other kernel"
    assert "has no image" in runs[2]["error"]["message"]


def test_on_lab_is_one_command_with_the_modules_that_it_names(
    ended: dict[str, Future[Ended]],
) -> None:
    one = ended["modprobe"].result()

    loaded = [line.split("/")[-1].strip() for line in one.out.decode().splitlines()]
    assert [name.partition(".")[0] for name in loaded] == ["fat", "vfat"]
    assert (one.status, one.err) == (0, "")


def test_what_a_command_leaves_behind_does_not_keep_the_guest(
    ended: dict[str, Future[Ended]],
) -> None:
    one = ended["leaves"].result()

    assert (one.status, one.out) == (0, b"done\n")


@pytest.mark.parametrize("after_s", [0.1, 0.5, 1.2, 2.5, 4.5])
def test_an_interrupt_leaves_no_machine_and_no_file(
    kernels: Kernels, ended: dict[str, Future[Ended]], after_s: float, tmp_path: Path
) -> None:
    for each in ended.values():
        each.result()
    words = ["lab", f"--release={kernels.old.release}", "--", "sleep", "60"]
    process = kernels.start(words, TMPDIR=str(tmp_path))
    time.sleep(after_s)
    machines = children_of(process.pid)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)

    assert process.returncode == 130
    assert [pid for pid in machines if Path(f"/proc/{pid}").exists()] == []
    assert list(tmp_path.iterdir()) == []
    assert after_s < 1 or machines, "there was something to leave behind"


def test_a_shell_has_the_terminal(kernels: Kernels) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["LKM_DATA"] = str(kernels.data)
        os.environ["LKM_CACHE"] = str(kernels.cache)
        os.chdir(kernels.folder)
        words = ["lab", "--release", kernels.old.release, "--modules", "vfat", "--copy", "."]
        os.execv(LKM[0], [*LKM, *words])
    try:
        assert b"# " in until(terminal, b"# ")
        os.write(terminal, b"tty; modprobe vfat; lsmod | wc -l; echo $((40 + 2))\n")
        said = until(terminal, b"\n42")
        assert b"/dev/ttyS2" in said
        assert b"\n3" in said
        os.write(terminal, b"sleep 60\n")
        time.sleep(0.5)
        os.write(terminal, b"\x03echo $((100 + $?))\n")
        assert b"\n230" in until(terminal, b"\n230")
        os.write(terminal, b"insmod oops.ko\n")
        assert b"tm_oops_init" in until(terminal, b"end trace")
        os.write(terminal, b"exit 5\n")
        said = until(terminal, b"\0 never said")
    finally:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)

    assert b"the kernel oopsed in tm_oops" in said
    assert status == 126


def test_a_foreign_machine_boots_its_own_kernel(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LKM_DATA", str(kernels.data))
    try:
        root = debian_kernel("linux-image-arm64", "arm64")
        fetch_busybox("arm64")
    except (NotHere, FetchError) as error:
        missing("debian", str(error))
        raise
    (release,) = [path.name for path in (root / "lib/modules").iterdir()]
    subprocess.run(["cp", "-al", root, kernels.data / "kernels" / release], check=True)
    script = "uname -m; modprobe vfat; lsmod; exit 3"
    one = kernels.run("lab", "--arch", "arm64", "--", "sh", "-c", script)

    assert one.status == 3, one.err
    assert one.out.startswith(b"aarch64\n")
    assert b"\nvfat " in one.out
    assert "busybox, and neither Python nor lkm" in one.err


def children_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def until(terminal: int, wanted: bytes, timeout_s: float = 60) -> bytes:
    """Return what comes from *terminal* up to *wanted*, or to its end."""
    said, end = b"", time.monotonic() + timeout_s
    while wanted not in said and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                data = os.read(terminal, 4096)
            except OSError:
                break
            if not data:
                break
            said += data
    return said
