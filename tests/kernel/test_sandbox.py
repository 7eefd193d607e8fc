from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lkm.errors import (
    AlreadyLoadedError,
    BadModuleFormatError,
    InUseError,
    KernelError,
    NotLoadedError,
    NotPermittedError,
    UnknownSymbolError,
)
from lkm.kernel.protocol import FORCE, IGNORE_MODVERSIONS
from lkm.kernel.sandbox import Sandbox
from lkm.loader.findings import LogLine
from lkm.names import ModuleName
from tests.builders.elf import AnExport, ASection, a_module
from tests.kernel.images import a_known_sandbox
from tests.kernel.trees import (
    LAYOUT_CRC,
    PLAIN_CRC,
    RELEASE,
    VERMAGIC,
    a_root,
    a_sandbox,
    a_signed,
    an_image,
    module_file,
)

BASE, MIDDLE, TOP, ALONE = map(ModuleName, ("base", "middle", "top", "alone"))


def texts(sandbox: Sandbox) -> list[str]:
    return [line.text for line in sandbox.log()]


def test_the_chain_loads_in_order_and_counts_references(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)

    for name in (BASE, MIDDLE, TOP):
        sandbox.insert(module_file(root, name))

    assert [(module.name, module.refcnt, module.holders) for module in sandbox.modules()] == [
        ("top", 0, ()),
        ("middle", 1, ("top",)),
        ("base", 2, ("top", "middle")),
    ]
    assert sandbox.log() == ()


def test_a_gap_is_used_again(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    for name in (BASE, ALONE):
        sandbox.insert(module_file(root, name))
    sandbox.remove(BASE)
    sandbox.insert(module_file(root, BASE))

    assert sandbox.read("/proc/modules").decode() == (
        "base 16384 0 - Live 0xffffffffc0201000\nalone 12288 0 - Live 0xffffffffc0206000\n"
    ), "and a module loaded again is the newest"


def test_what_one_command_did_another_sees(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))

    other = Sandbox(sandbox.path)

    assert other.modules() == sandbox.modules()
    other.remove(BASE)
    assert sandbox.modules() == ()


def test_the_wrong_order_is_refused_and_its_lines_stay(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)

    with pytest.raises(UnknownSymbolError) as caught:
        sandbox.insert(module_file(root, "top"))

    lines = ("top: Unknown symbol gpl (err -2)", "top: Unknown symbol twice (err -2)")
    assert caught.value.log == lines
    assert sandbox.log() == tuple([LogLine(4, line) for line in lines])
    assert sandbox.modules() == ()


def test_a_refused_module_leaves_its_taints(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path)

    with pytest.raises(UnknownSymbolError):
        sandbox.insert(
            an_image(
                a_module(
                    vermagic=VERMAGIC,
                    imports=("gone",),
                    versions={"module_layout": LAYOUT_CRC, "gone": 1},
                )
            )
        )

    assert sandbox.read("/proc/sys/kernel/tainted") == b"12288\n"
    assert sandbox.status().taints == "OE"


def test_what_is_logged_once_a_boot_is_logged_once(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    for name in ("one", "two"):
        data = a_signed(name, modinfo=("retpoline=Y",))[:-1]  # a signature cut off is none
        sandbox.insert(an_image(data, name))

    assert texts(sandbox) == [
        "one: loading out-of-tree module taints kernel.",
        "one: module verification failed: signature and/or required key missing - tainting kernel",
    ]


@pytest.mark.parametrize(
    ("parts", "number", "kind"),
    [
        ({"vermagic": VERMAGIC.replace("preempt ", "")}, errno.ENOEXEC, BadModuleFormatError),
        ({"vermagic": VERMAGIC.replace("6.1", "6.9")}, 0, None),
        ({"versions": {"module_layout": 9}}, errno.ENOEXEC, BadModuleFormatError),
        ({"versions": {"module_layout": LAYOUT_CRC, "_printk": 9}}, errno.EINVAL, KernelError),
        ({"imports": ("spaced",)}, errno.EINVAL, KernelError),
        ({"license": "Secret", "imports": ("gpl",)}, errno.ENOENT, UnknownSymbolError),
        (
            {"exports": (AnExport(name="plain", crc=PLAIN_CRC),)},
            errno.ENOEXEC,
            BadModuleFormatError,
        ),
        ({"machine": 183}, errno.ENOEXEC, BadModuleFormatError),
    ],
)
def test_each_refusal_has_its_errno_and_changes_nothing(
    tmp_path: Path, parts: dict[str, object], number: int, kind: type[KernelError] | None
) -> None:
    sandbox, root = a_known_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    before = sandbox.modules()
    image = an_image(a_signed("tiny", **parts))

    if kind is None:
        sandbox.insert(image)
        return
    with pytest.raises(kind) as caught:
        sandbox.insert(image)

    assert caught.value.errno == number
    assert caught.value.log
    assert caught.value.evidence
    assert sandbox.modules() == before


def test_the_remedy_of_a_refusal_tells_what_helps(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.insert(module_file(root, "middle"))

    with pytest.raises(InUseError) as in_use:
        sandbox.remove(BASE)
    with pytest.raises(AlreadyLoadedError) as loaded:
        sandbox.insert(module_file(root, "base"))

    assert "middle" in in_use.value.remedy
    assert "remove base" in loaded.value.remedy


@pytest.mark.parametrize("name", ["", "snd-pcm", "BASE", "x" * 56, "base.ko"])
def test_only_the_kernels_own_spelling_is_loaded(tmp_path: Path, name: str) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))

    with pytest.raises(NotLoadedError):
        sandbox.remove(ModuleName(name))


def test_a_holder_is_stronger_than_force(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path)
    sandbox.insert(module_file(root, "base"))
    sandbox.insert(module_file(root, "middle"))

    with pytest.raises(InUseError):
        sandbox.remove(BASE, flags=FORCE)


def test_a_module_without_exit_stays_until_forced(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    sandbox.insert(an_image(a_signed("stays", exit=False), "stays"))
    stays = ModuleName("stays")

    with pytest.raises(KernelError) as caught:
        sandbox.remove(stays)
    assert b"stays 12288 0 [permanent], Live" in sandbox.read("/proc/modules")
    sandbox.remove(stays, flags=FORCE)

    assert caught.value.errno == errno.EBUSY
    assert sandbox.modules() == ()
    assert sandbox.status().taints == "R"
    assert texts(sandbox) == ["Disabling lock debugging due to kernel taint"]


@pytest.mark.parametrize(("init", "exit_"), [(False, False), (False, True)])
def test_a_module_without_init_can_be_removed(tmp_path: Path, init: bool, exit_: bool) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    sandbox.insert(an_image(a_signed("goes", init=init, exit=exit_), "goes"))

    sandbox.remove(ModuleName("goes"))

    assert sandbox.modules() == ()


def test_module_blacklist_on_its_own_command_line_forbids(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path, command_line="quiet module_blacklist=other,base ro")

    with pytest.raises(NotPermittedError) as caught:
        sandbox.insert(module_file(root, "base"))
    sandbox.insert(module_file(root, "alone"))

    assert caught.value.log == ("Module base is blacklisted",)
    assert "module_blacklist" in caught.value.remedy
    assert "root" not in caught.value.remedy


def test_nomodule_on_its_own_command_line_forbids_both_ways(tmp_path: Path) -> None:
    sandbox, root = a_sandbox(tmp_path, command_line="nomodule")

    with pytest.raises(NotPermittedError) as insert:
        sandbox.insert(module_file(root, "base"))
    with pytest.raises(NotPermittedError) as remove:
        sandbox.remove(BASE)

    assert "nomodule" in insert.value.remedy
    assert "nomodule" in remove.value.remedy
    assert sandbox.read("/proc/sys/kernel/modules_disabled") == b"1\n"


@pytest.mark.parametrize("word", ["module.sig_enforce=1", "module.sig_enforce"])
def test_signatures_can_be_demanded(tmp_path: Path, word: str) -> None:
    sandbox, root = a_known_sandbox(tmp_path)
    sandbox.boot(RELEASE, str(root), command_line=word)
    sandbox.insert(module_file(root, "base"))

    with pytest.raises(KernelError) as caught:
        sandbox.insert(an_image(a_module(name="tiny", vermagic=VERMAGIC)))

    assert caught.value.errno == errno.EKEYREJECTED


def test_flags_force_and_taint(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    wrong = a_signed("tiny", versions={"module_layout": 9})

    sandbox.insert(an_image(wrong), flags=IGNORE_MODVERSIONS)

    assert sandbox.modules()[0].taints == "FE"


def test_a_built_ins_name_is_taken_once_it_has_a_folder(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")
    tree = root / "lib/modules" / RELEASE
    (tree / "modules.builtin").write_text("kernel/printk.ko\nkernel/quiet.ko\n")
    (tree / "modules.builtin.modinfo").write_bytes(
        b"printk.parmtype=time:bool\0quiet.license=GPL\0"
    )
    sandbox = Sandbox(str(tmp_path / "state"))
    sandbox.boot(RELEASE, str(root))

    with pytest.raises(KernelError) as caught:
        sandbox.insert(an_image(a_signed("printk"), "printk"))
    sandbox.insert(an_image(a_signed("quiet"), "quiet"))

    assert caught.value.errno == errno.EINVAL
    assert caught.value.log == ("printk: module is already loaded",)
    assert "printk" in sandbox.listing("/sys/module")


def test_a_module_too_large_for_the_modules_area_is_refused(tmp_path: Path) -> None:
    sandbox, _root = a_sandbox(tmp_path)
    huge = ASection(".bss", type=8, flags=3, size=1 << 62)

    with pytest.raises(KernelError) as caught:
        sandbox.insert(an_image(a_signed("tiny", extra=(huge,))))

    assert caught.value.errno == errno.ENOMEM
    assert sandbox.modules() == ()
