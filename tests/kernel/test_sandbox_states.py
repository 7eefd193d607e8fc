"""Modules that are coming and going, what init is said to return, and references without a name."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lkm.errors import (
    AlreadyLoadedError,
    InUseError,
    KernelError,
    NotLoadedError,
    NoUnloadingError,
    UnknownSymbolError,
    UsageError,
)
from lkm.kernel.protocol import FORCE
from lkm.kernel.sandbox import Sandbox
from lkm.loader.findings import LogLine
from lkm.module.file import ModuleImage
from lkm.names import ModuleName
from lkm.vmlinux.exports import KernelExport
from tests.builders.elf import AnExport, a_module
from tests.kernel.images import a_config, a_known_sandbox
from tests.kernel.trees import LAYOUT_CRC, PRINTK_CRC, VERMAGIC, a_sandbox, an_image

SLOW, USER = ModuleName("slow"), ModuleName("user")
CRCS = {"module_layout": LAYOUT_CRC, "slow_value": 7}


def a_slow(**parts: object) -> ModuleImage:
    export = AnExport(name="slow_value", crc=7)
    given: dict[str, object] = {"name": "slow", "exports": (export,), "versions": CRCS}
    return an_image(a_module(**({"vermagic": VERMAGIC} | given | parts)), "slow")


def a_user() -> ModuleImage:
    data = a_module(name="user", imports=("slow_value",), versions=CRCS, vermagic=VERMAGIC)
    return an_image(data, "user")


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return a_sandbox(tmp_path, modules={})[0]


def shown(sandbox: Sandbox, file: str) -> str:
    return sandbox.read(f"/sys/module/slow/{file}").decode().strip()


def names_in_kallsyms(sandbox: Sandbox) -> list[str]:
    lines = sandbox.read("/proc/kallsyms").decode().splitlines()
    return [line[17:].removesuffix("\t[slow]") for line in lines if line.endswith("\t[slow]")]


def test_an_init_that_does_not_return_leaves_the_module_coming(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow(), init_returns="never")

    (module,) = sandbox.modules()
    init_size = int(shown(sandbox, "initsize"))
    size = module.size + init_size
    line = f"slow {size} 1 - Loading 0xffffffffc0201000 (OE+)\n"
    assert sandbox.read("/proc/modules").decode() == line
    assert (module.state, module.refcnt, init_size > 0) == ("coming", 1, True)
    assert (shown(sandbox, "initstate"), shown(sandbox, "taint")) == ("coming", "OE")
    assert shown(sandbox, "coresize") == str(module.size)
    assert "init_module" in " ".join(names_in_kallsyms(sandbox))


def test_while_it_is_coming_its_whole_symbol_table_is_listed(tmp_path: Path) -> None:
    exports = (
        KernelExport("_printk", PRINTK_CRC, address=0xFFFF_FFFF_8100_0010),
        KernelExport("module_layout", LAYOUT_CRC),
    )
    sandbox, _root = a_known_sandbox(tmp_path, modules={}, exports=exports)
    versions = CRCS | {"_printk": PRINTK_CRC}
    sandbox.insert(a_slow(imports=("_printk",), versions=versions), init_returns="never")

    coming = sandbox.read("/proc/kallsyms").decode().splitlines()
    names = names_in_kallsyms(sandbox)
    sandbox.finish(SLOW)

    assert "ffffffff81000010 u _printk\t[slow]" in coming
    assert "T slow_value" in names
    assert "t init_module" in names
    live = names_in_kallsyms(sandbox)
    assert set(live) < set(names)
    assert "T slow_value" in live
    assert not {"t init_module", "u _printk"} & set(live)


def test_its_memory_for_init_is_taken_until_init_returns(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow(), init_returns="never")
    sandbox.insert(an_image(a_module(name="next", vermagic=VERMAGIC), "next"))
    while_coming = sandbox.modules()[0].address
    sandbox.remove(ModuleName("next"))
    sandbox.finish(SLOW)
    sandbox.insert(an_image(a_module(name="next", vermagic=VERMAGIC), "next"))

    behind = sandbox.modules()[0].address

    assert while_coming is not None
    assert behind is not None
    assert behind < while_coming


def test_in_transit_it_can_be_neither_loaded_nor_removed_nor_used(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow(), init_returns="never")

    with pytest.raises(KernelError) as again:
        sandbox.insert(a_slow())
    with pytest.raises(KernelError) as removed:
        sandbox.remove(SLOW, flags=FORCE)
    with pytest.raises(KernelError) as used:
        sandbox.insert(a_user())

    assert [each.value.errno for each in (again, removed, used)] == [errno.EBUSY] * 3
    assert "EEXIST" in again.value.evidence
    assert used.value.log == (
        "user: gave up waiting for init of module slow.",
        "user: Unknown symbol slow_value (err -16)",
    )
    assert sandbox.modules()[0].refcnt == 1


def test_finish_makes_it_live(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow(), init_returns="never")

    left = sandbox.finish(SLOW)
    sandbox.insert(a_user())

    assert left is not None
    assert (left.state, left.refcnt) == ("live", 0)
    assert shown(sandbox, "initsize") == "0"
    assert sandbox.modules()[1].holders == (USER,)
    with pytest.raises(AlreadyLoadedError):
        sandbox.insert(a_slow())


def test_finish_with_an_errno_takes_it_away(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow(), init_returns="never")

    assert sandbox.finish(SLOW, -errno.ENODEV) is None

    assert sandbox.modules() == ()
    assert sandbox.status().taints == "OE"
    with pytest.raises(NotLoadedError):
        sandbox.finish(SLOW)


def test_what_is_live_cannot_be_finished(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow())

    with pytest.raises(KernelError) as caught:
        sandbox.finish(SLOW)

    assert caught.value.errno == errno.EINVAL
    assert "live" in caught.value.remedy


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EEXIST, errno.ENOMEM, 4095])
def test_what_init_returns_is_the_answer_as_it_is(sandbox: Sandbox, number: int) -> None:
    with pytest.raises(KernelError) as caught:
        sandbox.insert(a_slow(), init_returns=-number)

    assert caught.value.errno == number
    assert sandbox.modules() == ()
    assert sandbox.listing("/sys/module") == ()
    assert sandbox.status().taints == "OE"


@pytest.mark.parametrize("late", [False, True])
def test_a_positive_number_loads_with_a_record_of_two_lines(sandbox: Sandbox, late: bool) -> None:
    sandbox.insert(a_slow(), init_returns="never" if late else 5)
    if late:
        sandbox.finish(SLOW, 5)

    assert sandbox.modules()[0].state == "live"
    assert sandbox.log()[-1] == LogLine(
        4,
        "do_init_module: 'slow'->init suspiciously returned 5, it should follow 0/-E convention\n"
        "do_init_module: loading module anyway...",
    )


@pytest.mark.parametrize(("init", "answer"), [(False, 0), (False, "never"), (True, -4096)])
def test_an_answer_that_no_init_can_give_is_wrong_usage(
    sandbox: Sandbox, init: bool, answer: int
) -> None:
    with pytest.raises(UsageError):
        sandbox.insert(a_slow(init=init), init_returns=answer)

    assert sandbox.log() == ()


def test_an_exit_that_does_not_end_leaves_the_module_going(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow())
    sandbox.remove(SLOW, exit_hangs=True)

    (module,) = sandbox.modules()
    assert (module.state, module.refcnt, shown(sandbox, "initstate")) == ("going", -1, "going")
    assert sandbox.read("/proc/modules").endswith(b" -1 - Unloading 0xffffffffc0201000 (OE-)\n")
    with pytest.raises(KernelError) as again:
        sandbox.remove(SLOW)
    with pytest.raises(KernelError) as loaded:
        sandbox.insert(a_slow())
    with pytest.raises(UnknownSymbolError) as used:
        sandbox.insert(a_user())
    assert (again.value.errno, loaded.value.errno) == (errno.EBUSY, errno.EBUSY)
    assert used.value.log == ("user: Unknown symbol slow_value (err -2)",)
    with pytest.raises(UsageError):
        sandbox.finish(SLOW, 1)
    assert sandbox.finish(SLOW) is None
    assert sandbox.modules() == ()


def test_a_module_without_exit_cannot_hang_in_it(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow(init=False, exit=False))

    with pytest.raises(UsageError):
        sandbox.remove(SLOW, exit_hangs=True)

    assert sandbox.modules()[0].state == "live"


def test_a_signed_module_of_the_tree_shows_no_sign_in_transit(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path, modules={}, config=a_config(MODULE_SIG="n"))
    sandbox.insert(a_slow(modinfo=("intree=Y", "retpoline=Y")), init_returns="never")

    assert sandbox.read("/proc/modules").endswith(b"Loading 0xffffffffc0201000\n")


def test_who_holds_a_module_without_being_one_only_counts(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow())
    sandbox.hold(SLOW)
    sandbox.hold(SLOW)

    (module,) = sandbox.modules()
    assert (module.refcnt, module.holders, shown(sandbox, "refcnt")) == (2, (), "2")
    with pytest.raises(InUseError):
        sandbox.remove(SLOW)
    sandbox.release_hold(SLOW)
    sandbox.release_hold(SLOW)
    with pytest.raises(KernelError) as caught:
        sandbox.release_hold(SLOW)
    assert caught.value.errno == errno.EINVAL
    sandbox.remove(SLOW)
    assert sandbox.log()[-1].text.startswith("slow: module verification failed")


def test_force_takes_away_what_is_held_and_taints(sandbox: Sandbox) -> None:
    sandbox.insert(a_slow())
    sandbox.hold(SLOW)
    sandbox.remove(SLOW, flags=FORCE, exit_hangs=True)

    assert sandbox.modules()[0].refcnt == 1, "the first reference stays where it was forced"
    assert sandbox.status().taints == "ROE"
    assert sandbox.log()[-1].text == "Disabling lock debugging due to kernel taint"


def test_without_forced_unloading_nothing_helps(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path, modules={}, config=a_config(MODULE_FORCE_UNLOAD="n"))
    sandbox.insert(a_slow())
    sandbox.hold(SLOW)

    with pytest.raises(InUseError):
        sandbox.remove(SLOW, flags=FORCE)

    assert "R" not in sandbox.status().taints


def test_nobody_gets_hold_of_what_is_going_or_not_there(sandbox: Sandbox) -> None:
    with pytest.raises(NotLoadedError):
        sandbox.hold(SLOW)
    sandbox.insert(a_slow())
    sandbox.remove(SLOW, exit_hangs=True)

    with pytest.raises(NotLoadedError):
        sandbox.hold(SLOW)


def test_a_kernel_that_counts_nothing_takes_no_hold(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path, modules={}, config=a_config(MODULE_UNLOAD="n"))

    with pytest.raises(NoUnloadingError):
        sandbox.hold(SLOW)


def test_delete_looks_at_holders_before_the_state_and_the_state_before_permanence(
    sandbox: Sandbox,
) -> None:
    sandbox.insert(a_slow(exit=False))
    sandbox.insert(a_user())

    with pytest.raises(InUseError):
        sandbox.remove(SLOW)
    sandbox.remove(USER)
    sandbox.hold(SLOW)
    with pytest.raises(KernelError) as permanent:
        sandbox.remove(SLOW)

    assert permanent.value.errno == errno.EBUSY, "before its count is looked at"


def test_what_a_name_is_said_to_return_holds_for_inserts_that_say_nothing(
    sandbox: Sandbox,
) -> None:
    sandbox.answer(SLOW, -errno.EIO)

    with pytest.raises(KernelError) as caught:
        sandbox.insert(a_slow())
    sandbox.insert(a_slow(), init_returns=0)

    assert caught.value.errno == errno.EIO
