"""The main job through the command line: look, plan, load into the sandbox, list, unload."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builders.elf import a_module
from tests.builders.tree import RELEASE
from tests.cli.running import lkm


def test_a_module_is_loaded_with_all_that_belongs_to_it_and_taken_away_again(
    sandbox: Path,
) -> None:
    tree = sandbox / "lib/modules" / RELEASE

    loading = lkm("--on", "sandbox", "modprobe", "-v", "vfat", "debug=1")

    # Without an image there is a doubt, and nothing else.
    doubt = "modprobe: NOTICE: could not tell (struct-size)"
    assert [line for line in loading.err.splitlines() if not line.startswith(doubt)] == []
    assert loading.status == 0
    assert loading.out.splitlines() == [
        f"insmod {tree}/kernel/fs/fat/fat.ko ",
        f"insmod {tree}/kernel/fs/nls/nls-test.ko ",
        f"insmod {tree}/kernel/fs/fat/vfat.ko debug=1",
    ]
    table = lkm("lsmod", "--on", "sandbox").out.splitlines()
    assert [line.split()[0] for line in table] == ["Module", "vfat", "nls_test", "fat"]
    assert table[3].split()[2:] == ["1", "vfat"]
    proc = lkm("sandbox", "cat", "/proc/modules").out.splitlines()
    assert [line.split()[0] for line in proc] == ["vfat", "nls_test", "fat"]
    assert lkm("sandbox", "cat", "/sys/module/fat/refcnt").out == "1\n"

    unloading = lkm("--on", "sandbox", "modprobe", "-r", "-v", "vfat")

    assert unloading.out == "rmmod vfat\nrmmod fat\nrmmod nls_test\n"
    assert lkm("lsmod", "--on", "sandbox").out.splitlines() == table[:1]


def test_the_plan_is_shown_without_a_kernel(root: Path) -> None:
    shown = lkm("modprobe", "-d", str(root), "-S", RELEASE, "-D", "fs-vfat")

    assert [line.rpartition("/")[2] for line in shown.out.splitlines()] == [
        "fat.ko ",
        "nls-test.ko ",
        "vfat.ko ",
    ]
    assert shown.status == 0


@pytest.mark.usefixtures("sandbox")
def test_dry_run_leaves_out_what_is_loaded_and_changes_nothing() -> None:
    lkm("--on", "sandbox", "modprobe", "fat")

    shown = lkm("--on", "sandbox", "modprobe", "-n", "vfat")

    assert [line.rpartition("/")[2] for line in shown.out.splitlines()] == [
        "nls-test.ko ",
        "vfat.ko ",
    ]
    assert len(lkm("--on", "sandbox", "lsmod").out.splitlines()) == 2


def test_a_module_without_its_dependency_is_refused_and_the_reason_is_told(sandbox: Path) -> None:
    path = sandbox / "lib/modules" / RELEASE / "kernel/fs/fat/vfat.ko"

    ran = lkm("--on", "sandbox", "insmod", str(path))

    assert ran.status == 1
    assert ran.err.splitlines() == [
        f"insmod: ERROR: could not insert module {path}: Unknown symbol in module",
        "insmod: NOTICE: kernel: vfat: module verification failed: signature and/or required key "
        "missing - tainting kernel",
        "insmod: NOTICE: kernel: vfat: Unknown symbol fat_attach (err -2)",
        "insmod: NOTICE: kernel: vfat: Unknown symbol fat_detach (err -2)",
        "insmod: NOTICE: nobody exports fat_attach, fat_detach; load fat first, as modprobe does "
        "(unknown-symbol)",
    ]
    assert "fat_attach (err -2)" in lkm("sandbox", "log").out


@pytest.mark.usefixtures("sandbox")
def test_a_module_for_another_kernel_is_refused_with_both_vermagics(tmp_path: Path) -> None:
    path = tmp_path / "other.ko"
    path.write_bytes(a_module(name="other", vermagic="6.9.0 SMP mod_unload "))

    ran = lkm("--on", "sandbox", "insmod", str(path))

    assert ran.status == 1
    assert "Invalid module format" in ran.err
    assert "version magic '6.9.0 SMP mod_unload ' should be '6.1.0-test SMP" in ran.err


@pytest.mark.usefixtures("sandbox")
def test_loading_twice_is_fine_unless_it_must_be_the_first_time() -> None:
    assert lkm("--on", "sandbox", "modprobe", "lone").status == 0

    assert lkm("--on", "sandbox", "modprobe", "lone").status == 0
    again = lkm("--on", "sandbox", "modprobe", "--first-time", "lone")

    assert again.status == 1
    assert again.err == "modprobe: ERROR: could not insert 'lone': Module already in kernel\n"


@pytest.mark.usefixtures("sandbox")
def test_first_time_holds_also_for_a_module_asked_for_by_an_alias() -> None:
    assert lkm("--on", "sandbox", "modprobe", "--first-time", "fs-vfat").status == 0

    again = lkm("--on", "sandbox", "modprobe", "--first-time", "fs-vfat")

    assert again.status == 1
    assert "could not insert 'vfat': Module already in kernel" in again.err


@pytest.mark.usefixtures("sandbox")
def test_removing_what_is_not_there_is_fine_unless_it_must_be_the_first_time() -> None:
    assert lkm("--on", "sandbox", "modprobe", "-r", "lone").status == 0

    ran = lkm("--on", "sandbox", "modprobe", "-r", "--first-time", "lone")

    assert (ran.status, ran.err) == (1, "modprobe: FATAL: Module lone is not in kernel.\n")


@pytest.mark.usefixtures("sandbox")
def test_a_module_in_use_stays_and_its_users_are_named() -> None:
    lkm("--on", "sandbox", "modprobe", "vfat")

    by_rmmod = lkm("--on", "sandbox", "rmmod", "fat")
    by_modprobe = lkm("--on", "sandbox", "modprobe", "-r", "fat")

    assert (by_rmmod.status, by_rmmod.err) == (
        1,
        "rmmod: ERROR: Module fat is in use by: vfat\n",
    )
    assert (by_modprobe.status, by_modprobe.err) == (
        1,
        "modprobe: FATAL: Module fat is in use.\n",
    )
    assert len(lkm("--on", "sandbox", "lsmod").out.splitlines()) == 4


@pytest.mark.usefixtures("sandbox")
def test_remove_holders_takes_the_users_first() -> None:
    lkm("--on", "sandbox", "modprobe", "vfat")

    ran = lkm("--on", "sandbox", "modprobe", "-v", "--remove-holders", "fat")

    assert ran.status == 0, ran.err
    assert ran.out.splitlines()[0] == "rmmod vfat"
    assert "fat" not in lkm("--on", "sandbox", "lsmod").out


@pytest.mark.usefixtures("sandbox")
def test_rmmod_goes_on_after_a_failure() -> None:
    lkm("--on", "sandbox", "modprobe", "lone")

    ran = lkm("--on", "sandbox", "rmmod", "nothing", "ext-two", "lone")

    assert ran.status == 1
    assert ran.err.splitlines() == [
        "rmmod: ERROR: Module nothing is not currently loaded",
        "rmmod: ERROR: Module ext_two is builtin.",
    ]
    assert len(lkm("--on", "sandbox", "lsmod").out.splitlines()) == 1


def test_the_sandbox_obeys_its_own_roots_modprobe_d(sandbox: Path) -> None:
    folder = sandbox / "etc/modprobe.d"
    folder.mkdir(parents=True)
    (folder / "ours.conf").write_text(
        "options vfat debug=2\ninstall lone /bin/false\nblacklist vfat\nsillyword\n"
    )

    shown = lkm("--on", "sandbox", "modprobe", "-n", "vfat")
    by_alias = lkm("--on", "sandbox", "modprobe", "fs-vfat")
    command = lkm("--on", "sandbox", "modprobe", "lone")

    assert shown.out.splitlines()[-1].endswith("vfat.ko debug=2 ")
    assert "ours.conf line 4: ignoring bad line starting with 'sillyword'" in shown.err
    assert (by_alias.status, by_alias.out) == (0, "")  # blacklisted: passed over in silence
    assert command.status == 1
    assert "the sandbox runs no commands, so this was left out: install /bin/false" in command.err
    assert len(lkm("--on", "sandbox", "lsmod").out.splitlines()) == 1


@pytest.mark.usefixtures("sandbox")
def test_the_plan_as_json_says_why_each_step_is_there() -> None:
    ran = lkm("--on", "sandbox", "modprobe", "--json", "vfat")

    document = json.loads(ran.out)
    assert document["schema"] == "lkm.plan/1"
    (plan,) = document["plans"]
    because = {step["module"]: step["because"] for step in plan["steps"]}
    assert because == {"fat": "vfat", "nls_test": "vfat", "vfat": None}
    required = {step["module"]: step["required"] for step in plan["steps"]}
    assert required == {"fat": True, "nls_test": False, "vfat": True}
    assert plan["outcome"]["done"] == ["fat", "nls_test", "vfat"]


@pytest.mark.usefixtures("sandbox")
def test_several_commands_see_one_sandbox_and_reset_forgets_it() -> None:
    lkm("--on", "sandbox", "modprobe", "lone")
    status = json.loads(lkm("sandbox", "status", "--json").out)
    assert (status["release"], status["loaded"]) == (RELEASE, 1)
    assert status["exports_assumed"]

    assert lkm("sandbox", "reset").status == 0
    ran = lkm("--on", "sandbox", "lsmod")

    assert ran.out == "Module                  Size  Used by\n"
    assert "lkm sandbox boot" in ran.err  # it is the teaching kernel again
