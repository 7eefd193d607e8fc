"""What every kernel keeps to, whichever it is: checks that are run for each of them.

Plain functions and asserts, and nothing but lkm and the standard library, so that they run in a
guest too: ``python3 -m tests.kernel.contract FILES`` goes through all of them on the kernel that
runs, prints a JSON line for each, and ends with 1 where one failed. The modules are tiny ones
(``tests/outcomes/tinymods``), which lie in the tree of the kernel; FILES is a folder of such that
do not load by themselves (``tests.kernel.unfit``). Each check begins and ends with none of them
loaded.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from typing import Literal

from lkm.errors import (
    AlreadyLoadedError,
    BadModuleFormatError,
    InUseError,
    KernelError,
    NotLoadedError,
    UnknownSymbolError,
)
from lkm.kernel.loaded import COMING, LIVE
from lkm.kernel.protocol import FORCE, IGNORE_MODVERSIONS, IGNORE_VERMAGIC
from lkm.kernel.sysfs import loaded_folders
from lkm.names import ModuleName
from lkm.resolve.plan import Insert, Remove
from tests.kernel.bench import Bench, as_text, live_bench, raised, symbols_of

_FORCED_LOAD, _FORCED_REMOVAL = 1 << 1, 1 << 3  # TAINT_FORCED_MODULE, TAINT_FORCED_RMMOD
_CHAIN = tuple([ModuleName(f"tm_level{number}") for number in (1, 2, 3, 4)])
_TWO_S, _SLOW_S = 2.0, 0.7


def check_a_kernel_says_what_it_is(bench: Bench) -> None:
    assert bench.kernel.name in {"live", "sandbox"}
    assert bench.kernel.release() == os.path.basename(bench.directory)
    assert "\n" not in bench.kernel.command_line()
    assert bench.kernel.tainted() == int(bench.read("/proc/sys/kernel/tainted"))


def check_an_inserted_module_is_live_and_unused(bench: Bench) -> None:
    bench.insert("tm_exp")

    module = bench.loaded("tm_exp")

    assert (module.state, module.refcnt, module.holders) == (LIVE, 0, ())
    assert module.size > 0
    assert module.size % 4096 == 0


def check_an_inserted_module_has_a_folder_of_its_own(bench: Bench) -> None:
    name = ModuleName("tm_exp")
    before = bench.kernel.sys_module()
    bench.insert(name)

    after = bench.kernel.sys_module()

    assert before is not None
    assert after is not None
    assert name not in before
    shown = loaded_folders(after, [name])[name]
    assert shown.initsize is not None
    assert shown.sections
    assert shown.unreadable == {}
    assert bench.read("/sys/module/tm_exp/initstate") == b"live\n"


def check_the_list_is_that_of_proc_modules_newest_first(bench: Bench) -> None:
    bench.insert("tm_exp", "tm_ok", "tm_dep")

    modules = {module.name: module for module in bench.kernel.modules()}
    listed = bench.listed()

    assert list(modules) == list(listed)
    assert list(modules)[:3] == ["tm_dep", "tm_ok", "tm_exp"]
    for name, module in modules.items():
        line = listed[name]
        assert (module.size, module.refcnt, module.state) == (line.size, line.refcnt, line.state)
        assert (module.address, module.taints) == (line.address, line.taints)
        assert set(module.holders) == set(line.holders)
    modules_now, folders = bench.kernel.snapshot()
    assert modules_now == tuple(modules.values())
    assert folders is not None
    assert set(modules) <= set(folders)


def check_dependencies_are_loaded_before_what_needs_them(bench: Bench) -> None:
    outcome = bench.load("tm_level4")

    assert outcome.error is None
    assert [step.module for step in outcome.done if isinstance(step, Insert)] == list(_CHAIN)
    assert bench.ours() == list(reversed(_CHAIN))


def check_what_is_loaded_already_is_not_loaded_again(bench: Bench) -> None:
    bench.insert("tm_level1", "tm_level2")

    outcome = bench.load("tm_level3")

    assert [step.module for step in outcome.done if isinstance(step, Insert)] == ["tm_level3"]
    assert bench.load("tm_level3").done == ()
    # As if it had been loaded after the plan was made.
    late = bench.load("tm_level3", loaded={}, first_time=True)
    assert isinstance(late.error, AlreadyLoadedError)
    assert bench.ours() == ["tm_level3", "tm_level2", "tm_level1"]


def check_soft_dependencies_stand_around_their_module(bench: Bench) -> None:
    outcome = bench.load("tm_dep", settings="softdep tm_exp pre: tm_ok post: tm_level1\n")

    assert outcome.error is None
    assert bench.ours() == ["tm_dep", "tm_level1", "tm_exp", "tm_ok"]


def check_a_user_holds_its_owners(bench: Bench) -> None:
    bench.insert(*_CHAIN)

    counts = {name: bench.loaded(name).refcnt for name in _CHAIN}
    holders = [set(bench.loaded(name).holders) for name in _CHAIN]
    listed = bench.listed()

    assert counts == {"tm_level1": 2, "tm_level2": 1, "tm_level3": 1, "tm_level4": 0}
    assert holders == [{"tm_level4", "tm_level2"}, {"tm_level3"}, {"tm_level4"}, set()]
    assert listed["tm_level1"].holders == ("tm_level4", "tm_level2"), "the newest user first"
    bench.kernel.remove(_CHAIN[3])
    assert bench.loaded("tm_level1").refcnt == 1
    assert bench.loaded("tm_level1").holders == ("tm_level2",)


def check_a_reference_that_no_module_stands_for_is_counted(bench: Bench) -> None:
    name = ModuleName("tm_hold")
    bench.insert(name)
    bench.hold(name, True)

    held = bench.loaded(name)
    refused = raised(InUseError, lambda: bench.kernel.remove(name))
    bench.hold(name, False)

    assert (held.refcnt, held.holders) == (1, ())
    assert refused.errno == errno.EAGAIN
    bench.kernel.remove(name)
    assert bench.ours() == []


def check_a_user_without_its_owner_is_refused(bench: Bench) -> None:
    error = raised(UnknownSymbolError, lambda: bench.insert("tm_dep"))

    assert error.errno == errno.ENOENT
    assert "tm_dep: Unknown symbol tm_exp_plain (err -2)" in error.log
    assert bench.ours() == []


def check_a_symbol_that_nobody_exports_is_an_unknown_one(bench: Bench) -> None:
    outcome = bench.load("tm_missing")

    assert isinstance(outcome.error, UnknownSymbolError)
    lines = [line for line in outcome.error.log if "tm_nowhere" in line]
    assert len(lines) == 2, "each of the two is told"
    assert bench.ours() == []


def check_a_name_that_is_loaded_is_refused(bench: Bench) -> None:
    bench.insert("tm_exp")

    error = raised(AlreadyLoadedError, lambda: bench.insert("tm_exp"))

    assert error.errno == errno.EEXIST
    assert bench.loaded("tm_exp").refcnt == 0
    assert bench.ours() == ["tm_exp"]


def check_a_module_in_use_stays(bench: Bench) -> None:
    bench.insert("tm_exp", "tm_dep")

    error = raised(InUseError, lambda: bench.kernel.remove(ModuleName("tm_exp")))

    assert error.errno == errno.EAGAIN
    assert bench.loaded("tm_exp").state == LIVE
    raised(InUseError, lambda: bench.kernel.remove(ModuleName("tm_exp"), flags=FORCE))
    assert bench.ours() == ["tm_dep", "tm_exp"], "nor does force take what a module uses"


def check_what_is_not_loaded_cannot_be_removed(bench: Bench) -> None:
    error = raised(NotLoadedError, lambda: bench.kernel.remove(ModuleName("lkm_no_such_module")))

    assert error.errno == errno.ENOENT


def check_removing_all_of_it_leaves_what_was_before(bench: Bench) -> None:
    before = bench.kernel.modules()
    folders = bench.kernel.sys_module()
    bench.insert("tm_exp", "tm_dep")
    bench.kernel.remove(ModuleName("tm_dep"))
    bench.kernel.remove(ModuleName("tm_exp"))

    assert bench.kernel.modules() == before
    assert bench.kernel.sys_module() == folders


def check_unloading_takes_the_dependencies_that_nothing_uses(bench: Bench) -> None:
    bench.insert("tm_ok", "tm_exp", "tm_dep", *_CHAIN)

    outcome = bench.unload("tm_dep")

    assert outcome.error is None
    removed = [step.module for step in outcome.done if isinstance(step, Remove)]
    assert removed == ["tm_dep", "tm_exp"]
    # Each is asked once, in loading order, as in kmod: of a chain some stay.
    assert bench.unload("tm_level4").error is None
    assert bench.ours() == ["tm_level2", "tm_level1", "tm_ok"]
    assert bench.unload("tm_level2").error is None
    assert bench.ours() == ["tm_ok"]


def check_unloading_leaves_the_dependencies_that_others_use(bench: Bench) -> None:
    bench.insert("tm_exp", "tm_usegpl", "tm_dep")

    outcome = bench.unload("tm_dep")

    assert outcome.error is None
    assert bench.ours() == ["tm_usegpl", "tm_exp"]
    assert bench.loaded("tm_exp").holders == ("tm_usegpl",)
    assert isinstance(bench.unload("tm_exp").error, InUseError)
    assert bench.ours() == ["tm_usegpl", "tm_exp"]


def check_holders_are_removed_first_where_that_is_asked_for(bench: Bench) -> None:
    bench.insert(*_CHAIN)

    outcome = bench.unload("tm_level1", remove_holders=True)

    assert outcome.error is None
    assert bench.ours() == []


def check_parameters_are_visible(bench: Bench) -> None:
    bench.insert("tm_params", params='i=-5 b inv=1 s="two words" arr=7,8,9 two-words=4')

    folder = bench.kernel.sys_module()
    shown = {
        name: bench.read(f"/sys/module/tm_params/parameters/{name}")
        for name in ("i", "u", "b", "inv", "s", "str", "arr", "renamed", "two_words")
    }

    assert shown == {
        "i": b"-5\n",
        "u": b"2\n",
        "b": b"Y\n",
        "inv": b"Y\n",
        "s": b"two words\n",
        "str": b"buf\n",
        "arr": b"7,8,9\n",
        "renamed": b"0\n",
        "two_words": b"4\n",
    }
    assert folder is not None
    values = loaded_folders(folder, [ModuleName("tm_params")])[ModuleName("tm_params")].parameters
    assert {name: values[name] for name in shown} == {
        name: as_text(value).removesuffix("\n") for name, value in shown.items()
    }
    assert "hidden" not in values


def check_a_value_that_does_not_fit_refuses_the_module(bench: Bench) -> None:
    error = raised(KernelError, lambda: bench.insert("tm_params", params="i=many"))

    assert error.errno == errno.EINVAL
    assert "tm_params: `many' invalid for parameter `i'" in error.log
    assert bench.ours() == []


def check_a_parameter_that_it_has_not_is_passed_over(bench: Bench) -> None:
    bench.insert("tm_params", params="nosuch=1 i=3")

    assert bench.read("/sys/module/tm_params/parameters/i") == b"3\n"


def check_an_init_that_fails_leaves_nothing_but_its_dependencies(bench: Bench) -> None:
    bench.say_init(ModuleName("tm_ret"), -errno.ENODEV)
    before = bench.read("/proc/modules")

    error = raised(KernelError, lambda: bench.insert("tm_ret", params=f"ret={-errno.ENODEV}"))

    assert error.errno == errno.ENODEV
    assert bench.read("/proc/modules") == before
    settings = f"softdep tm_ret pre: tm_level2\noptions tm_ret ret={-errno.ENODEV}\n"
    outcome = bench.load("tm_ret", settings=settings)
    assert [step.module for step in outcome.done if isinstance(step, Insert)] == list(_CHAIN[:2])
    assert outcome.failed is not None
    assert outcome.failed.module == "tm_ret"
    assert isinstance(outcome.error, KernelError)
    assert outcome.error.errno == errno.ENODEV
    assert bench.ours() == ["tm_level2", "tm_level1"]


def check_an_init_that_takes_two_seconds_is_seen_coming(bench: Bench) -> None:
    name = ModuleName("tm_slow")
    wait = bench.slow_init(name, _TWO_S, 0)

    seen = bench.coming(name)
    # A kernel has the second one wait for the first. In the sandbox nothing waits, and so it
    # answers what is said where the first one has not come to live.
    again = raised(KernelError, lambda: bench.kernel.insert(bench.whole(name)))
    answer = wait()

    assert (seen.state, seen.refcnt) == (COMING, 1), "its own init holds it"
    assert again.errno == (errno.EEXIST if bench.kernel.name == "live" else errno.EBUSY)
    assert answer == 0
    assert bench.loaded(name).state == LIVE
    assert bench.loaded(name).refcnt == 0
    assert bench.load(name).error is None


def check_a_load_beside_another_one_is_no_failure(bench: Bench) -> None:
    name = ModuleName("tm_slow")
    wait = bench.slow_init(name, _SLOW_S, 0)
    bench.coming(name)

    outcome = bench.load("tm_useslow")

    assert wait() == 0
    assert outcome.error is None
    assert bench.ours() == ["tm_useslow", "tm_slow"]


def check_a_load_beside_one_that_fails_does_not_take_it_for_loaded(bench: Bench) -> None:
    name = ModuleName("tm_slow")
    wait = bench.slow_init(name, _SLOW_S, -errno.ENODEV)
    bench.coming(name)

    outcome = bench.load(name, settings="options tm_slow ms_in=0 ms_out=0\n")

    assert wait() == errno.ENODEV
    if outcome.error is None:
        assert bench.ours() == [name], "a try of its own"
    else:
        # Linux 6.5 and later give all who insert the same file the first one's answer.
        assert isinstance(outcome.error, KernelError)
        assert outcome.error.errno == errno.ENODEV
        assert bench.ours() == []


def check_symbols_come_and_go_with_their_module(bench: Bench) -> None:
    before = bench.read("/proc/kallsyms")
    bench.insert("tm_exp", "tm_dep")

    text = bench.read("/proc/kallsyms")
    of_owner, of_user = symbols_of(text, "tm_exp"), symbols_of(text, "tm_dep")
    modules = [line.rpartition(b"\t")[2] for line in text.splitlines() if b"\t[" in line]

    assert any(line[0] in "TDRB" for line in of_owner), "what it exports to everybody"
    assert len(set(of_owner)) == len(of_owner) > 1
    assert len(of_user) > 1
    assert modules[0] == b"[tm_dep]", "modules in the order of /proc/modules"
    bench.kernel.remove(ModuleName("tm_dep"))
    text = bench.read("/proc/kallsyms")
    assert (symbols_of(text, "tm_exp"), symbols_of(text, "tm_dep")) == (of_owner, [])
    bench.kernel.remove(ModuleName("tm_exp"))
    assert bench.read("/proc/kallsyms") == before


def check_a_refused_module_leaves_no_symbol(bench: Bench) -> None:
    before = bench.read("/proc/kallsyms")
    raised(UnknownSymbolError, lambda: bench.insert("tm_dep"))

    assert bench.read("/proc/kallsyms") == before


def check_a_module_for_another_kernel_is_refused(bench: Bench) -> None:
    error = raised(BadModuleFormatError, lambda: bench.kernel.insert(bench.unfit("vermagic")))

    assert error.errno == errno.ENOEXEC
    assert any("version magic" in line for line in error.log)
    assert bench.ours() == []


def check_a_symbol_of_another_version_is_refused(bench: Bench) -> None:
    bench.insert("tm_exp")

    error = raised(KernelError, lambda: bench.kernel.insert(bench.unfit("crc")))

    assert error.errno == errno.EINVAL
    assert "tm_dep: disagrees about version of symbol tm_exp_plain" in error.log
    assert bench.ours() == ["tm_exp"]


def check_bytes_that_are_no_module_are_refused(bench: Bench) -> None:
    for image in (bench.unfit("nothing"), bench.unfit("cut")):
        error = raised(BadModuleFormatError, partial(bench.kernel.insert, image))
        assert error.errno == errno.ENOEXEC
    assert bench.ours() == []


def check_force_loads_and_taints(bench: Bench) -> None:
    bench.kernel.insert(bench.unfit("vermagic"), flags=IGNORE_VERMAGIC)

    assert "F" in bench.loaded("tm_ok").taints
    assert (bench.kernel.tainted() or 0) & _FORCED_LOAD
    bench.insert("tm_exp")
    bench.kernel.insert(bench.unfit("crc"), flags=IGNORE_MODVERSIONS)
    assert "F" in bench.loaded("tm_dep").taints
    assert "F" not in bench.loaded("tm_exp").taints


def check_force_has_to_be_told_what_it_is_for(bench: Bench) -> None:
    image = bench.unfit("vermagic")

    # The CRCs let the release differ, not the rest.
    raised(BadModuleFormatError, lambda: bench.kernel.insert(image, flags=IGNORE_MODVERSIONS))

    assert bench.ours() == []


def check_a_module_without_an_exit_is_removed_by_force_only(bench: Bench) -> None:
    name = ModuleName("tm_noexit")
    bench.insert(name)

    error = raised(KernelError, lambda: bench.kernel.remove(name))

    assert error.errno == errno.EBUSY
    assert bench.listed()[name].permanent
    bench.kernel.remove(name, flags=FORCE)
    assert bench.ours() == []
    assert (bench.kernel.tainted() or 0) & _FORCED_REMOVAL


Check = Callable[[Bench], None]
CHECKS: tuple[Check, ...] = tuple(
    [value for name, value in list(globals().items()) if name.startswith("check_")]
)
LIVE_ONLY: frozenset[Check] = frozenset(
    {
        check_a_load_beside_another_one_is_no_failure,
        check_a_load_beside_one_that_fails_does_not_take_it_for_loaded,
    }
)
"""Of what happens at the same time, which in the sandbox nothing does."""


def run(check: Check, bench: Bench) -> None:
    """Do one *check*, which begins and ends with nothing of ours in the kernel."""
    assert bench.ours() == []
    try:
        check(bench)
    finally:
        bench.clear()


def main(files: str) -> Literal[0, 1]:
    """Do all checks on the kernel that runs; a JSON line for each."""
    bench = live_bench(files)
    failed = False
    for check in CHECKS:
        began = time.monotonic()
        told: dict[str, object] = {"check": check.__name__}
        try:
            run(check, bench)
        except Exception:  # noqa: BLE001  # whatever it is, it is told
            told["failed"] = traceback.format_exc()
            failed = True
        told["seconds"] = round(time.monotonic() - began, 2)
        print(json.dumps(told), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
