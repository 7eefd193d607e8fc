"""modprobe that fails or is cut short: what is loaded is what it says; --atomic takes it back."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.cli.console import Console
from lkm.cli.dropin import read_options
from lkm.cli.modprobe import COMMAND
from lkm.cli.modprobe_load import Loading
from lkm.cli.target import Target
from lkm.errors import FileError
from lkm.kernel.apply import Outcome
from lkm.kernel.refusals import refusal
from lkm.kernel.sandbox import Sandbox
from lkm.kernel.sandbox_inserting import InitReturns
from lkm.module.file import ModuleImage
from lkm.names import ModuleName
from lkm.resolve.plan import Insert, Plan
from tests.builders.elf import AnExport, a_module
from tests.builders.tree import RELEASE, a_root
from tests.cli.running import lkm
from tests.report.validating import validate

if TYPE_CHECKING:
    from lkm.kernel.apply import CommandRunner

MODPROBE = ("--on", "sandbox", "modprobe")
SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def loaded() -> list[str]:
    return [module.name for module in Sandbox().modules()]


def at(line: str, what: Callable[[], object]) -> Callable[[str], object]:
    """Do *what* when modprobe -v begins to insert the file whose name is in *line*."""
    return lambda text: what() if text.endswith(f"/{line}.ko \n") else None


def raising(number: signal.Signals) -> Callable[[], object]:
    return lambda: signal.raise_signal(number)


@pytest.mark.usefixtures("sandbox")
def test_without_atomic_the_dependencies_of_what_failed_stay() -> None:
    ran = lkm(*MODPROBE, "--init-returns", "-5", "vfat")

    assert ran.status == 1
    assert loaded() == ["nls_test", "fat"]


@pytest.mark.usefixtures("sandbox")
def test_atomic_removes_all_that_it_loaded_and_nothing_else() -> None:
    lkm(*MODPROBE, "fat")

    ran = lkm(*MODPROBE, "--atomic", "-v", "--init-returns", "-5", "vfat")

    assert ran.status == 1
    assert ran.out.splitlines()[-1] == "rmmod nls_test"
    assert ran.err.splitlines()[-1] == "modprobe: NOTICE: --atomic: removed again: nls_test"
    assert loaded() == ["fat"]


@pytest.mark.usefixtures("sandbox")
def test_with_all_atomic_is_about_all_words() -> None:
    ran = lkm(*MODPROBE, "--atomic", "-a", "lone", "nosuch", "vfat")

    assert ran.status == 1
    assert ran.err.splitlines()[-1].endswith("removed again: vfat nls_test fat lone")
    assert loaded() == []


@pytest.mark.usefixtures("sandbox")
def test_atomic_leaves_what_was_loaded_where_all_went_well() -> None:
    ran = lkm(*MODPROBE, "--atomic", "-a", "lone", "vfat")

    assert (ran.status, "--atomic" in ran.err) == (0, False)
    assert loaded() == ["vfat", "nls_test", "fat", "lone"]


@pytest.mark.usefixtures("sandbox")
def test_what_is_in_use_by_then_is_told_to_stay() -> None:
    hold = at("lone", lambda: Sandbox().hold(Sandbox().modules()[0].name))

    ran = lkm(*MODPROBE, "--atomic", "-va", "fat", "lone", "nosuch", on_write=hold)

    assert ran.status == 1
    assert ran.err.splitlines()[-2:] == [
        "modprobe: NOTICE: --atomic: removed again: lone",
        "modprobe: WARNING: --atomic: fat stays loaded: cannot remove fat: it is in use",
    ]
    assert loaded() == ["fat"]


def test_the_document_tells_what_was_taken_back_and_what_was_not(sandbox: Path) -> None:
    words = ("--atomic", "--json", "-a", "--init-returns", "-5", "lone", "vfat")

    document = validate(lkm(*MODPROBE, *words).out)

    assert document["taken_back"] == {"removed": ["nls_test", "fat"], "left": [], "commands": []}
    assert document["interrupted"] is None
    assert validate(lkm(*MODPROBE, "--json", "lone").out)["taken_back"] is None
    assert sandbox.is_dir()


def test_atomic_does_not_stand_with_removal() -> None:
    for word in ("-r", "--remove-holders"):
        ran = lkm("modprobe", word, "--atomic", "lone")

        assert ran.status == 1
        assert "--atomic takes back what was loaded" in ran.err


def test_atomic_must_be_spelled_out() -> None:
    assert "unrecognized option '--atom'" in lkm("modprobe", "--atom", "lone").err


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("number", "status"), SIGNALS.items())
def test_a_signal_ends_it_between_two_steps_and_what_is_loaded_is_told(
    number: signal.Signals, status: int
) -> None:
    ran = lkm(*MODPROBE, "-va", "lone", "vfat", "nosuch", on_write=at("fat", raising(number)))

    assert ran.status == status
    # The step that had begun is carried out; no other one is begun.
    assert ran.err.endswith(
        f"modprobe: ERROR: interrupted by {number.name}; loaded until then: lone fat\n"
    )
    assert loaded() == ["fat", "lone"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("sandbox")
def test_with_atomic_a_signal_leaves_nothing() -> None:
    stop = at("nls-test", raising(signal.SIGINT))

    ran = lkm(*MODPROBE, "--atomic", "-va", "lone", "vfat", on_write=stop)

    assert ran.status == 130
    assert ran.err.splitlines()[-2:] == [
        "modprobe: ERROR: interrupted by SIGINT; loaded until then: lone fat nls_test",
        "modprobe: NOTICE: --atomic: removed again: nls_test fat lone",
    ]
    assert loaded() == []


@pytest.mark.usefixtures("sandbox")
def test_a_removal_is_ended_between_two_steps_too() -> None:
    lkm(*MODPROBE, "-a", "lone", "vfat")

    def stop(text: str) -> None:
        if text == "rmmod vfat\n":
            signal.raise_signal(signal.SIGTERM)

    ran = lkm(*MODPROBE, "-rv", "vfat", "lone", on_write=stop)

    assert ran.status == 143
    assert ran.err == "modprobe: ERROR: interrupted by SIGTERM; removed until then: vfat\n"
    assert loaded() == ["nls_test", "fat", "lone"]


def test_the_document_of_a_run_that_a_signal_ended_tells_what_was_done(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing of it is written before the end, so the signal comes as a module's file is opened.
    opened = os.open

    def opens(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).endswith("/nls-test.ko"):
            signal.raise_signal(signal.SIGINT)
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opens)
    ran = lkm(*MODPROBE, "--json", "-a", "vfat", "lone")

    document = validate(ran.out)
    assert (ran.status, document["interrupted"]) == (130, "SIGINT")
    (plan,) = json.loads(ran.out)["plans"]
    outcome = plan["outcome"]
    assert (outcome["done"], outcome["interrupted"], outcome["failed"]) == (
        ["fat", "nls_test"],
        True,
        None,
    )
    assert sorted(loaded()) == sorted(outcome["done"])
    assert sandbox.is_dir()


class Unplannable(Loading):
    """Loads, but of the second word on no plan can be made."""

    def plans(self, word: str, params: str) -> tuple[Plan, ...]:
        if self.attempts:
            raise FileError("read", "/lib/modules/index", errno.EIO)
        return super().plans(word, params)


@pytest.mark.usefixtures("sandbox")
def test_what_was_loaded_is_told_also_where_a_later_word_cannot_be_planned() -> None:
    console = Console("modprobe", io.StringIO(), io.StringIO())
    words = ("--json", "--atomic", "-a", "--on", "sandbox", "lone", "vfat")
    parsed = read_options(COMMAND, words, console)
    assert parsed is not None
    work = Unplannable(parsed, Target("sandbox", console), console)

    status = work.run(("lone", "vfat"), "")
    console.at_end()

    document = json.loads(json.dumps(console.document))
    first, second = document["plans"]
    assert (status, first["outcome"]["done"]) == (1, ["lone"])
    assert second["error"]["message"].startswith("cannot read /lib/modules/index")
    assert document["taken_back"]["removed"] == ["lone"]
    assert loaded() == []


class RunningCommands(Loading):
    """Loads, and runs commands although the kernel is the sandbox."""

    def _command_runner(self) -> CommandRunner:
        return self._run_command


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("command", "status"), [("kill -TERM $PPID; false", 143), ("exit 3", 1)])
def test_what_a_command_did_that_failed_is_not_called_nothing(
    tmp_path: Path, command: str, status: int
) -> None:
    config = tmp_path / "x.conf"
    config.write_text(f"install fat {command}\ninstall lone true\n")
    err = io.StringIO()
    console = Console("modprobe", io.StringIO(), err)
    words = ("--json", "--atomic", "-C", str(config), "-a", "--on", "sandbox", "lone", "fat")
    parsed = read_options(COMMAND, words, console)
    assert parsed is not None
    target = Target("sandbox", console, config_paths=(str(config),))
    work = RunningCommands(parsed, target, console)

    ended = work.run(("lone", "fat"), "")
    console.at_end()

    document = json.loads(json.dumps(console.document))
    assert (ended, document["taken_back"]["commands"]) == (status, ["lone", "fat"])
    assert "nothing was changed" not in err.getvalue()
    assert ("what the failed command of fat did is not known" in err.getvalue()) == (status == 143)
    assert err.getvalue().endswith(
        "that of lone was run\nmodprobe: WARNING: --atomic: install commands are not taken back: "
        "what that of fat, which failed, did is not known\n"
    )


class FailingFirst(Sandbox):
    """A kernel that refuses the first insertion."""

    def insert(
        self,
        image: ModuleImage,
        params: str | None = "",
        *,
        flags: int = 0,
        init_returns: InitReturns | None = None,
    ) -> ModuleName:
        if not self.refused:
            self.refused = True
            raise refusal("insert", image.name, errno.EIO)
        return super().insert(image, params, flags=flags, init_returns=init_returns)

    refused = False


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(("words", "status", "there"), [((), 0, 1), (("--atomic",), 1, 0)])
def test_with_atomic_each_module_of_an_alias_must_be_loaded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    status: int,
    there: int,
) -> None:
    config = tmp_path / "x.conf"
    config.write_text("alias both fat\nalias both lone\n")
    monkeypatch.setattr(Target, "kernel", FailingFirst())

    ran = lkm(*MODPROBE, *words, "-C", str(config), "both")

    # As in kmod, of several modules by one alias the last one decides.
    assert (ran.status, len(loaded())) == (status, there)


def test_a_dependency_that_was_said_to_be_there_is_named_where_its_symbol_is_missing() -> None:
    console = Console("modprobe", io.StringIO(), io.StringIO())
    parsed = read_options(COMMAND, ("vfat",), console)
    assert parsed is not None
    fat, vfat = (Insert(ModuleName(name), f"/{name}.ko") for name in ("fat", "vfat"))
    error = refusal("insert", "vfat", errno.ENOENT)
    outcome = Outcome(absent=(fat,), failed=vfat, error=error)

    Loading(parsed, Target("live", console), console).say_failed(outcome, Plan("vfat", "load", ()))

    assert error.remedy.endswith("is not loaded, since its init said that it was: fat")


@pytest.mark.usefixtures("sandbox")
def test_an_init_that_says_that_it_is_there_already_is_no_success_with_atomic() -> None:
    words = ("--init-returns", "-17", "lone")
    assert lkm(*MODPROBE, *words).status == 0

    ran = lkm(*MODPROBE, "--atomic", *words)

    assert (ran.status, loaded()) == (1, [])
    assert ran.err == (
        "modprobe: ERROR: could not insert 'lone': File exists\n"
        "modprobe: NOTICE: its init says so: no module of that name is loaded\n"
    )


@pytest.mark.usefixtures("sandbox")
def test_a_reader_that_goes_away_ends_it_and_atomic_takes_it_back() -> None:
    def go_away() -> None:
        raise BrokenPipeError

    plain = lkm(*MODPROBE, "-v", "vfat", on_write=at("vfat", go_away))
    assert (plain.status, loaded()) == (141, ["nls_test", "fat"])
    lkm(*MODPROBE, "-r", "-a", "nls_test", "fat")

    atomic = lkm(*MODPROBE, "--atomic", "-v", "vfat", on_write=at("vfat", go_away))

    assert (atomic.status, loaded()) == (141, [])
    assert atomic.err.endswith("modprobe: NOTICE: --atomic: removed again: nls_test fat\n")


@pytest.mark.usefixtures("sandbox")
def test_a_reader_that_goes_away_while_it_is_taken_back_does_not_stop_that() -> None:
    def go_away(text: str) -> None:
        if text.startswith("rmmod"):
            raise BrokenPipeError

    ran = lkm(*MODPROBE, "--atomic", "-va", "lone", "fat", "nosuch", on_write=go_away)

    assert (ran.status, loaded()) == (141, [])
    assert ran.err.endswith("modprobe: NOTICE: --atomic: removed again: fat lone\n")


@pytest.mark.usefixtures("sandbox")
def test_a_second_signal_does_not_keep_it_from_telling_what_was_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = os.open

    def opens(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if str(path).endswith("/nls-test.ko"):
            signal.raise_signal(signal.SIGTERM)
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opens)
    again = raising(signal.SIGINT)
    ran = lkm(*MODPROBE, "--json", "--atomic", "vfat", on_write=lambda _text: again())

    document = validate(ran.out)
    assert (ran.status, document["interrupted"]) == (143, "SIGTERM")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("further", [False, True])
def test_after_a_signal_atomic_waits_as_long_as_it_is_told_to_unless_another_one_comes(
    *, further: bool
) -> None:
    def write(text: str) -> None:
        if text.endswith("/lone.ko \n"):
            Sandbox().hold(Sandbox().modules()[0].name)
            signal.raise_signal(signal.SIGTERM)
        if text == "rmmod fat\n" and further:
            signal.raise_signal(signal.SIGTERM)

    wait_s = 60 if further else 0.2
    words = ("--atomic", "-w", str(int(wait_s * 1000)), "-va", "fat", "lone")
    start = time.monotonic()
    ran = lkm(*MODPROBE, *words, on_write=write)
    passed_s = time.monotonic() - start

    assert (ran.status, loaded()) == (143, ["fat"])
    assert passed_s < wait_s if further else passed_s >= wait_s


def test_a_signal_ends_rmmod_between_two_modules_and_the_document_is_whole(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lkm(*MODPROBE, "-a", "lone", "vfat")
    remove = Sandbox.remove

    def removes(self: Sandbox, name: ModuleName, *, flags: int = 0) -> None:
        remove(self, name, flags=flags)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Sandbox, "remove", removes)
    ran = lkm("--on", "sandbox", "rmmod", "--json", "vfat", "lone")

    document = validate(ran.out)
    assert (ran.status, document["removed"], document["not_removed"]) == (130, ["vfat"], ["lone"])
    assert ran.err == "rmmod: ERROR: interrupted by SIGINT; removed until then: vfat\n"
    assert "lone" in loaded()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert sandbox.is_dir()


def a_long_chain(tmp_path: Path, length: int) -> None:
    """Boot a kernel with the modules m0, m1, ..., of which each needs the one before."""
    modules = {}
    for number in range(length):
        needs = [f"s{number - 1}"] if number else []
        modules[f"kernel/m{number}.ko"] = a_module(
            name=f"m{number}",
            modinfo=["intree=Y"],
            exports=[AnExport(name=f"s{number}", crc=number + 1)],
            imports=needs,
            versions={"module_layout": 1, **dict.fromkeys(needs, number)},
            depends=f"m{number - 1}" if number else "",
        )
    root = a_root(tmp_path / "chain", modules)
    assert lkm("depmod", "-b", str(root), RELEASE).status == 0
    assert lkm("sandbox", "boot", "--root", str(root)).status == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [1, 4])
def test_a_process_killed_at_any_time_has_loaded_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, after: int
) -> None:
    length = 30
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))
    a_long_chain(tmp_path, length)
    words = [sys.executable, "-m", "lkm", *MODPROBE, "-v", f"m{length - 1}"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [process.stdout.readline() for _ in range(after)]
        process.send_signal(number)
        lines += process.stdout.readlines()
        said = process.stderr.read()
    begun = [Path(line.split()[1]).stem for line in lines]
    there = loaded()[::-1]

    assert begun[: len(there)] == there
    assert len(begun) - len(there) in ((0, 1) if number == signal.SIGKILL else (0,))
    if number != signal.SIGKILL:
        assert process.returncode == SIGNALS[number]
        assert said.endswith(
            f"modprobe: ERROR: interrupted by {number.name}; loaded until then: {' '.join(there)}\n"
        )
