from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lkm.config.directives import Source
from lkm.errors import (
    AlreadyLoadedError,
    CommandFailedError,
    FileError,
    InUseError,
    KernelError,
    NoSuchModuleError,
    NotLoadedError,
    UnknownSymbolError,
)
from lkm.kernel.apply import apply_plan, run_in_shell
from lkm.kernel.live import LiveKernel
from lkm.kernel.loaded import LoadedModule
from lkm.kernel.protocol import IGNORE_MODVERSIONS
from lkm.kernel.sandbox import Sandbox
from lkm.kernel.sandbox_inserting import InitReturns
from lkm.names import ModuleName
from lkm.resolve.plan import (
    Builtin,
    Insert,
    InUse,
    Missing,
    Plan,
    Refuse,
    Remove,
    RunInstall,
    RunRemove,
    Skip,
)
from tests.kernel.live import TINY, RecordedSyscalls, a_file, a_root
from tests.kernel.trees import a_sandbox, a_signed, module_file

if TYPE_CHECKING:
    from lkm.module.file import ModuleImage
    from lkm.resolve.plan import Step

BASE, MIDDLE, TOP, ALONE = map(ModuleName, ("base", "middle", "top", "alone"))
SOURCE = Source("/etc/modprobe.d/x.conf", 1)


def insert(
    root: Path, name: ModuleName, *, because: str = "", required: bool = True, params: str = ""
) -> Insert:
    path = module_file(root, name).path
    return Insert(name, path, params=params, because=because, required=required)


def load(*steps: Step) -> Plan:
    return Plan("top", "load", steps)


def unload(*steps: Step) -> Plan:
    return Plan("top", "unload", steps)


def names(sandbox: Sandbox) -> list[str]:
    return [module.name for module in sandbox.modules()]


def test_a_plan_is_carried_out_in_its_order(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    steps = (
        insert(root, BASE, because="top"),
        insert(root, MIDDLE, because="top"),
        insert(root, TOP),
    )
    seen: list[Step] = []

    outcome = apply_plan(load(*steps), sandbox, on_step=seen.append)

    assert outcome.done == steps
    assert (outcome.failed, outcome.error) == (None, None)
    assert tuple(seen) == steps
    assert names(sandbox) == ["top", "middle", "base"]


def test_only_steps_that_change_something_are_announced(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, BASE))
    seen: list[Step] = []
    there, skipped, new = insert(root, BASE), Skip(ALONE, "builtin"), insert(root, MIDDLE)

    apply_plan(load(there, skipped, new), sandbox, on_step=seen.append)

    assert seen == [new]


class FasterThanUs(Sandbox):
    """A kernel in which another process has loaded everything since we last looked."""

    def find(self, name: ModuleName) -> None:
        del name

    def insert(
        self,
        image: ModuleImage,
        params: str | None = "",
        *,
        flags: int = 0,
        init_returns: InitReturns = None,
    ) -> ModuleName:
        del params, flags, init_returns
        raise AlreadyLoadedError("insert", image.name, errno.EEXIST)


def test_a_module_that_another_process_loads_meanwhile_is_fine(tmp_path: Path) -> None:
    _sandbox, root = a_sandbox(tmp_path)
    kernel = FasterThanUs()
    plan = load(insert(root, BASE, because="top"), insert(root, TOP))

    assert apply_plan(plan, kernel).error is None
    assert isinstance(apply_plan(plan, kernel, first_time=True).error, AlreadyLoadedError)


class Busy(Sandbox):
    """A kernel whose module is let go after some tries; all its modules are loaded."""

    def __init__(self, *, free_at: int) -> None:
        super().__init__()
        self.tries, self.free_at = 0, free_at

    def find(self, name: ModuleName) -> LoadedModule:
        return LoadedModule(name=name, size=1)

    def remove(self, name: ModuleName, *, flags: int = 0, exit_hangs: bool = False) -> None:
        del flags, exit_hangs
        self.tries += 1
        if self.tries < self.free_at:
            raise InUseError("remove", name, errno.EAGAIN)


@pytest.mark.parametrize(
    ("wait_ms", "pauses_ms"),
    [(0, []), (1, [1]), (3, [1, 2]), (10, [1, 2, 4, 3]), (100, [1, 2, 4, 8, 16, 32, 37])],
)
def test_a_busy_module_is_tried_again_at_growing_intervals(
    wait_ms: int, pauses_ms: list[int]
) -> None:
    kernel, paused = Busy(free_at=1000), list[float]()

    outcome = apply_plan(unload(Remove(BASE)), kernel, wait_ms=wait_ms, pause=paused.append)

    assert [round(seconds * 1000) for seconds in paused] == pauses_ms
    assert kernel.tries == len(pauses_ms) + 1
    assert isinstance(outcome.error, InUseError)


def test_a_module_that_is_let_go_meanwhile_is_removed() -> None:
    plan, kernel = unload(Remove(BASE)), Busy(free_at=3)
    paused: list[float] = []

    outcome = apply_plan(plan, kernel, wait_ms=100, pause=paused.append)

    assert outcome.done == plan.steps
    assert (kernel.tries, len(paused)) == (3, 2)


def test_a_module_that_is_gone_by_its_turn_is_passed_over_in_silence(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    seen: list[Step] = []

    outcome = apply_plan(unload(Remove(BASE)), sandbox, on_step=seen.append)
    strict = apply_plan(unload(Remove(BASE)), sandbox, first_time=True)

    assert (outcome.done, outcome.error, seen) == ((), None, [])
    assert isinstance(strict.error, NotLoadedError)


def test_the_first_required_step_that_fails_ends_it(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    steps = (insert(root, BASE), insert(root, TOP), insert(root, ALONE))

    outcome = apply_plan(load(*steps), sandbox)

    assert outcome.done == steps[:1]
    assert outcome.failed == steps[1]
    assert isinstance(outcome.error, UnknownSymbolError)
    assert outcome.error.log == ("top: Unknown symbol twice (err -2)",)
    assert names(sandbox) == ["base"]


def test_a_soft_dependency_that_fails_is_passed_over(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    soft, hard = insert(root, TOP, because="alone", required=False), insert(root, ALONE)

    outcome = apply_plan(load(soft, hard), sandbox)

    assert outcome.done == (hard,)
    ((step, error),) = outcome.passed_over
    assert step == soft
    assert isinstance(error, UnknownSymbolError)


def test_a_file_that_is_gone_fails_its_step(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    outcome = apply_plan(load(Insert(BASE, str(tmp_path / "gone.ko"))), sandbox)

    assert isinstance(outcome.error, FileError)


def test_what_is_loaded_already_is_no_error(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    steps = (insert(root, BASE, because="top"), insert(root, BASE))

    outcome = apply_plan(load(*steps), sandbox)

    assert outcome.done == steps[:1]
    assert outcome.failed is None


def test_a_module_that_is_loaded_is_not_tried_again(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path, modules={"alone": a_signed("alone")})
    # The kernel would log the staging line again before it says EEXIST; libkmod does not ask it.
    staged = a_signed("staged", modinfo=("intree=Y", "retpoline=Y", "staging=Y"))
    path = root / "staged.ko"
    path.write_bytes(staged)
    step = Insert(ModuleName("staged"), str(path))

    apply_plan(load(step, step), sandbox)

    assert len(sandbox.log()) == 1


def test_an_install_command_for_a_loaded_module_does_not_run(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    apply_plan(load(insert(root, BASE)), sandbox)
    step = RunInstall(BASE, "exit 3", "", "", True, SOURCE)

    outcome = apply_plan(load(step), sandbox, run_command=run_in_shell)

    assert (outcome.done, outcome.failed) == ((), None)


def test_the_first_time_what_was_asked_for_must_be_new(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    dependency, asked = insert(root, BASE, because="top"), insert(root, MIDDLE)
    apply_plan(load(dependency, asked), sandbox)

    outcome = apply_plan(load(dependency, asked), sandbox, first_time=True)

    assert outcome.failed == asked
    assert isinstance(outcome.error, AlreadyLoadedError)


def test_the_first_time_what_was_to_go_must_be_there(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    assert apply_plan(unload(Remove(BASE)), sandbox).failed is None
    outcome = apply_plan(unload(Remove(BASE)), sandbox, first_time=True)

    assert isinstance(outcome.error, NotLoadedError)


def test_steps_that_ask_for_nothing_do_nothing(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    steps: tuple[Step, ...] = (Builtin(BASE), Skip(BASE, "loaded"), Refuse(BASE, SOURCE))

    outcome = apply_plan(load(*steps), sandbox)

    assert (outcome.done, outcome.failed) == ((), None)


def test_an_alias_to_nowhere_fails_where_it_is_required(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    required = apply_plan(load(Missing(BASE, "", True)), sandbox)
    soft = apply_plan(load(Missing(BASE, "top", False)), sandbox)

    assert isinstance(required.error, NoSuchModuleError)
    assert (soft.failed, len(soft.passed_over)) == (None, 1)


def test_flags_go_to_every_insert(tmp_path: Path) -> None:
    wrong = {
        "base": a_signed("base", versions={"module_layout": 9}),
        "alone": a_signed("alone"),
        "other": a_signed("other"),
    }
    sandbox, root = a_sandbox(tmp_path, modules=wrong)
    plan = load(insert(root, BASE))

    assert apply_plan(plan, sandbox).failed is not None
    assert apply_plan(plan, sandbox, flags=IGNORE_MODVERSIONS).failed is None


def test_unloading_takes_the_dependencies_that_nobody_uses(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    apply_plan(load(*[insert(root, name) for name in (BASE, MIDDLE, TOP)]), sandbox)
    steps = (Remove(TOP), Remove(MIDDLE, "top", True), Remove(BASE, "top", True))

    outcome = apply_plan(unload(*steps), sandbox)

    assert (outcome.done, names(sandbox)) == (steps, [])


def test_a_dependency_that_others_use_stays(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    apply_plan(load(*[insert(root, name) for name in (BASE, MIDDLE, TOP)]), sandbox)
    steps = (Remove(BASE, "x", True), Remove(ALONE, "x", True))

    outcome = apply_plan(unload(*steps), sandbox)

    assert (outcome.done, outcome.failed) == ((), None)
    assert names(sandbox) == ["top", "middle", "base"]


def test_what_others_use_ends_an_unload(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)

    outcome = apply_plan(unload(InUse(BASE, "", 1, (MIDDLE,))), sandbox)

    assert isinstance(outcome.error, InUseError)
    assert outcome.error.errno == errno.EAGAIN
    assert "middle" in outcome.error.remedy


def test_the_sandbox_runs_no_commands_unless_it_is_told_how(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    touched = tmp_path / "touched"
    step = RunInstall(BASE, f"touch {touched}", "", "", True, SOURCE)

    outcome = apply_plan(load(step), sandbox)

    assert (outcome.not_run, outcome.done, outcome.failed) == ((step,), (), None)
    assert not touched.exists()


def test_a_command_gets_its_options_and_its_module(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    ran: list[tuple[str, str]] = []

    def runner(command: str, module: ModuleName) -> int:
        ran.append((command, module))
        return 0

    install = RunInstall(BASE, "echo $CMDLINE_OPTS end", "a=1 b=2", "", True, SOURCE)
    remove = RunRemove(MIDDLE, "echo $CMDLINE_OPTS end", "", SOURCE)

    assert apply_plan(load(install), sandbox, run_command=runner).done == (install,)
    assert apply_plan(unload(remove), sandbox, run_command=runner).done == (remove,)
    assert ran == [("echo a=1 b=2 end", "base"), ("echo  end", "middle")]


def test_a_remove_command_for_unused_dependencies_spares_the_others(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    apply_plan(load(*[insert(root, name) for name in (BASE, MIDDLE)]), sandbox)
    ran: list[str] = []

    def runner(_command: str, module: ModuleName) -> int:
        ran.append(module)
        return 0

    steps = [RunRemove(name, "true", "top", SOURCE, True) for name in (BASE, MIDDLE, TOP)]
    apply_plan(unload(*steps), sandbox, run_command=runner)

    assert ran == ["middle"]


@pytest.mark.parametrize("required", [True, False])
def test_a_command_that_fails_fails_its_step(tmp_path: Path, *, required: bool) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    step = RunInstall(BASE, "exit 3", "", "", required, SOURCE)

    outcome = apply_plan(load(step), sandbox, run_command=run_in_shell)

    error = outcome.error if required else outcome.passed_over[0][1]
    assert isinstance(error, CommandFailedError)
    assert (error.status, error.kind) == (3, "install")
    assert str(error) == "Error running install command 'exit 3' for module base: retcode 3"


def test_what_would_follow_a_soft_dependency_that_stays_is_left_out(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    ran: list[str] = []

    def runner(command: str, module: ModuleName) -> int:
        ran.append(module)
        return int(command)

    def step(name: str, because: str, status: int, *, required: bool = True) -> RunRemove:
        return RunRemove(ModuleName(name), str(status), because, SOURCE, required=required)

    steps = [
        step("soft", "top", 1, required=False),
        step("deeper", "after_soft", 0),
        step("after_soft", "soft", 0),
        step("top", "", 0),
    ]
    outcome = apply_plan(unload(*steps), sandbox, run_command=runner)

    assert ran == ["soft", "top"]
    assert [each.module for each, _error in outcome.passed_over] == ["soft"]
    assert outcome.error is None


def test_the_live_kernels_commands_run_in_the_shell(tmp_path: Path) -> None:
    told = tmp_path / "told"
    step = RunInstall(BASE, f"echo $MODPROBE_MODULE > {told}", "", "", True, SOURCE)

    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/modules").touch()

    outcome = apply_plan(load(step), LiveKernel(str(tmp_path)))

    assert outcome.done == (step,)
    assert told.read_text() == "base\n"


def test_no_step_begins_once_it_is_to_stop(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    steps = (insert(root, BASE, because="top"), insert(root, MIDDLE, because="top"))
    done: list[Step] = []

    outcome = apply_plan(load(*steps), sandbox, on_done=done.append, stopped=lambda: bool(done))

    assert (outcome.done, outcome.interrupted, outcome.failed) == (steps[:1], True, None)
    assert (tuple(done), names(sandbox)) == (steps[:1], ["base"])


def test_what_was_done_is_known_also_where_a_step_cannot_be_told(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    steps = (insert(root, BASE), insert(root, MIDDLE))
    done: list[Step] = []

    def tell(step: Step) -> None:
        if step.module == MIDDLE:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        apply_plan(load(*steps), sandbox, on_step=tell, on_done=done.append)

    assert (tuple(done), names(sandbox)) == (steps[:1], ["base"])


def test_waiting_for_users_ends_when_it_is_to_stop() -> None:
    kernel, paused = Busy(free_at=1000), list[float]()

    outcome = apply_plan(
        unload(Remove(BASE)),
        kernel,
        wait_ms=10_000,
        pause=paused.append,
        stopped=lambda: len(paused) == 3,
    )

    assert kernel.tries == 4
    assert isinstance(outcome.error, InUseError)


def test_a_command_ended_by_a_signal_has_failed() -> None:
    assert run_in_shell("kill -9 $$", BASE) == 128 + 9


def test_a_command_for_which_no_shell_can_be_started_has_failed(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    step = RunInstall(BASE, "x" * 300_000, "", "", True, Source("/etc/modprobe.d/x.conf", 1))

    error = apply_plan(load(step), sandbox, run_command=run_in_shell).error

    assert isinstance(error, CommandFailedError)
    assert (error.status, "Argument list too long" in error.remedy) == (127, True)


def test_a_module_that_is_said_to_be_there_and_is_not_is_told(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root", folders={})
    kernel = LiveKernel(root, syscalls=RecordedSyscalls(finit=-errno.EEXIST))
    plan = load(Insert(TINY, a_file(tmp_path).path))

    # kmod takes it for loaded.
    outcome = apply_plan(plan, kernel)
    assert (outcome.done, outcome.error, outcome.absent) == ((), None, plan.steps)

    error = apply_plan(plan, kernel, strict=True).error
    assert isinstance(error, KernelError)
    assert (error.errno, type(error)) == (errno.EEXIST, KernelError)
    assert error.remedy.startswith("its init says so")

    (Path(root) / "proc/modules").write_text("tiny 1 0 - Live 0x0\n")
    assert apply_plan(plan, kernel, strict=True).error is None
