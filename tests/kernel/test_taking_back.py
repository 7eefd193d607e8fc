from __future__ import annotations

import errno
from pathlib import Path

from lkm.config.directives import Source
from lkm.errors import InUseError, KernelError
from lkm.kernel.apply import apply_plan
from lkm.kernel.live import LiveKernel
from lkm.kernel.taking_back import TakenBack, take_back
from lkm.names import ModuleName
from lkm.resolve.plan import Insert, Plan, Remove, RunInstall
from tests.kernel.live import RecordedSyscalls, a_root
from tests.kernel.test_apply import ALONE, BASE, MIDDLE, TOP, insert, load, names
from tests.kernel.trees import a_sandbox, a_signed


def test_what_was_inserted_is_removed_newest_first_and_nothing_else(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    apply_plan(load(insert(root, BASE)), sandbox)
    steps = [insert(root, name) for name in (BASE, ALONE, MIDDLE, TOP)]
    outcome = apply_plan(load(*steps), sandbox)
    said: list[object] = []

    taken = take_back(outcome.done, sandbox, on_step=said.append)

    assert taken == TakenBack(removed=(TOP, MIDDLE, ALONE))
    assert said == [Remove(TOP), Remove(MIDDLE), Remove(ALONE)]
    assert names(sandbox) == ["base"]


def test_what_others_use_by_now_stays_and_keeps_nothing_else_back(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    done = apply_plan(load(insert(root, ALONE), insert(root, BASE)), sandbox).done
    apply_plan(load(insert(root, MIDDLE)), sandbox)
    paused: list[float] = []

    taken = take_back(done, sandbox, wait_ms=3, pause=paused.append)

    ((module, error),) = taken.left
    assert (module, type(error), taken.removed) == (BASE, InUseError, (ALONE,))
    assert len(paused) == 2
    assert names(sandbox) == ["middle", "base"]


def test_what_is_gone_by_then_is_passed_over(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    done = apply_plan(load(insert(root, ALONE)), sandbox).done
    sandbox.remove(ALONE)

    assert take_back(done, sandbox) == TakenBack()


def test_a_command_that_ran_is_named_since_nobody_can_take_it_back(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    command = RunInstall(BASE, "true", "", "", True, Source("/etc/modprobe.d/x.conf", 1))
    plan = load(command, insert(root, ALONE))
    done = apply_plan(plan, sandbox, run_command=lambda _command, _module: 0).done

    assert take_back(done, sandbox) == TakenBack(removed=(ALONE,), commands=(BASE,))
    assert take_back(done, sandbox, failed_commands=[TOP]).commands == (BASE, TOP)


def test_a_module_whose_file_has_another_name_is_removed_by_its_own(tmp_path: Path) -> None:
    modinfo = ("intree=Y", "retpoline=Y", "name=inner")
    sandbox, root = a_sandbox(
        tmp_path, modules={"alone": a_signed("alone"), "outer": a_signed("inner", modinfo=modinfo)}
    )
    done = apply_plan(load(insert(root, ModuleName("outer"))), sandbox).done
    assert names(sandbox) == ["inner"]

    assert take_back(done, sandbox).removed == ("inner",)
    assert names(sandbox) == []


def test_the_live_kernel_is_asked_to_remove_and_what_it_refuses_is_told(tmp_path: Path) -> None:
    lines = "tiny 1 0 - Live 0x0\n"
    calls = RecordedSyscalls(delete=-errno.EBUSY)
    kernel = LiveKernel(a_root(tmp_path, lines=lines, folders={}), syscalls=calls)
    tiny = ModuleName("tiny")
    plan = Plan("tiny", "load", (Insert(tiny, "/tiny.ko"),))

    taken = take_back(plan.steps, kernel)

    ((module, error),) = taken.left
    assert (module, type(error)) == (tiny, KernelError)
    assert calls.names() == ["delete_module"]
