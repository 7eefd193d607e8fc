"""What a kernel's configuration changes in what its sandbox does."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lkm.errors import KernelError, NoModuleSupportError, NoUnloadingError
from lkm.kernel.protocol import FORCE, IGNORE_MODVERSIONS, IGNORE_VERMAGIC
from lkm.kernel.sandbox import Sandbox
from lkm.names import ModuleName
from tests.builders.elf import AnExport, ASection, ASymbol, a_module
from tests.kernel.images import a_config, a_known_sandbox
from tests.kernel.trees import LAYOUT_CRC, VERMAGIC, a_signed, an_image, module_file


def booted(folder: Path, **changed: str) -> tuple[Sandbox, Path]:
    return a_known_sandbox(folder, config=a_config(**changed))


def answer(sandbox: Sandbox, data: bytes, flags: int = 0) -> int:
    try:
        sandbox.insert(an_image(data), flags=flags)
    except KernelError as error:
        return error.errno
    return 0


def test_without_module_unload_nothing_unloads_and_nothing_is_counted(tmp_path: Path) -> None:
    sandbox, root = booted(tmp_path, MODULE_UNLOAD="n")
    for name in ("base", "middle"):
        sandbox.insert(module_file(root, name))

    with pytest.raises(NoUnloadingError) as caught:
        sandbox.remove(ModuleName("middle"))
    with pytest.raises(NoUnloadingError):
        sandbox.remove(ModuleName("never_there"), flags=FORCE)

    assert caught.value.errno == errno.ENOSYS
    assert "MODULE_UNLOAD" in str(caught.value)
    assert sandbox.read("/proc/modules").decode() == (
        "middle 16384 - - Live 0xffffffffc0206000\nbase 16384 - - Live 0xffffffffc0201000\n"
    )
    assert [(each.refcnt, each.holders) for each in sandbox.modules()] == [(None, ()), (None, ())]
    found = sandbox.find(ModuleName("base"))
    assert found is not None
    assert (found.refcnt, found.permanent) == (None, False)
    assert "refcnt" not in sandbox.listing("/sys/module/base")
    assert sandbox.listing("/sys/module/base/holders") == ()


def test_without_module_unload_exit_code_is_given_back(tmp_path: Path) -> None:
    large = ASection(".exit.data", b"\0" * 8192, flags=3)
    data = a_signed("tiny", extra=(large,))
    keeps, _root = booted(tmp_path / "a")
    drops, _root = booted(tmp_path / "b", MODULE_UNLOAD="n")

    for sandbox in (keeps, drops):
        sandbox.insert(an_image(data))

    assert keeps.modules()[0].size - drops.modules()[0].size == 8192


@pytest.mark.parametrize("flags", [IGNORE_MODVERSIONS, IGNORE_VERMAGIC, 3])
def test_without_force_load_flags_are_refused_silently(tmp_path: Path, flags: int) -> None:
    sandbox, _root = booted(tmp_path, MODULE_FORCE_LOAD="n")

    with pytest.raises(KernelError) as caught:
        sandbox.insert(an_image(a_signed("tiny")), flags=flags)

    assert (caught.value.errno, caught.value.log) == (errno.ENOEXEC, ())
    assert "force" in caught.value.remedy
    assert sandbox.status().tainted == 0
    assert answer(sandbox, a_signed("tiny")) == 0


def test_without_force_load_what_lacks_vermagic_or_crcs_is_refused(tmp_path: Path) -> None:
    strict, _root = booted(tmp_path / "a", MODULE_FORCE_LOAD="n")
    lax, _root = booted(tmp_path / "b")
    bare_export = (AnExport(name="bare"),)

    for data in (
        a_signed("one", vermagic=None),
        a_signed("two", versions=None),
        a_signed("three", exports=bare_export),
    ):
        assert answer(strict, data) == errno.ENOEXEC
        assert answer(lax, data) == 0
    assert lax.status().taints == "F"


def test_without_force_unload_force_is_not_heard(tmp_path: Path) -> None:
    sandbox, _root = booted(tmp_path, MODULE_FORCE_UNLOAD="n")
    sandbox.insert(an_image(a_signed("stays", exit=False), "stays"))

    with pytest.raises(KernelError) as caught:
        sandbox.remove(ModuleName("stays"), flags=FORCE)

    assert caught.value.errno == errno.EBUSY
    assert sandbox.status().tainted == 0


def test_without_modversions_crcs_are_not_compared(tmp_path: Path) -> None:
    wrong = {"module_layout": 9, "_printk": 9}
    plain = VERMAGIC.replace("modversions ", "")
    sandbox, _root = a_known_sandbox(tmp_path, config=a_config(MODVERSIONS="n"), vermagic=plain)

    assert answer(sandbox, a_signed("tiny", versions=wrong, vermagic=plain)) == 0
    assert not sandbox.status().modversions


def test_without_kallsyms_there_is_no_table_and_no_sections(tmp_path: Path) -> None:
    sandbox, root = booted(tmp_path, KALLSYMS="n", KALLSYMS_ALL="n")
    sandbox.insert(module_file(root, "base"))

    assert "kallsyms" not in sandbox.listing("/proc")
    assert "sections" not in sandbox.listing("/sys/module/base")
    assert sandbox.modules()[0].size == 12288, "one page less: no symbols are kept"


def test_without_kallsyms_all_only_code_is_listed(tmp_path: Path) -> None:
    data = a_signed("tiny", extra_symbols=(ASymbol("a_table", ".modinfo"),))
    sandbox, _root = booted(tmp_path, KALLSYMS_ALL="n")
    sandbox.insert(an_image(data))

    lines = sandbox.read("/proc/kallsyms").decode().splitlines()[5:]

    assert [line.split()[2] for line in lines] == ["cleanup_module"]


def test_without_strict_rwx_sizes_are_not_rounded_and_code_may_be_writable(tmp_path: Path) -> None:
    both = ASection(".text.odd", b"\xc3" * 8, flags=7)
    strict, _root = booted(tmp_path / "a")
    lax, _root = booted(tmp_path / "b", STRICT_MODULE_RWX="n")
    data = a_signed("tiny", extra=(both,))

    assert (answer(strict, data), answer(lax, data)) == (errno.ENOEXEC, 0)
    assert 0 < lax.modules()[0].size < 4096
    lax.insert(an_image(a_signed("next"), "next"))
    assert lax.modules()[0].address == 0xFFFF_FFFF_C020_3000, "memory is still whole pages"


def test_without_module_sig_nobody_asks_for_a_signature(tmp_path: Path) -> None:
    unsigned = a_module(
        modinfo=("intree=Y", "retpoline=Y"),
        vermagic=VERMAGIC,
        versions={"module_layout": LAYOUT_CRC},
    )
    asks, _root = booted(tmp_path / "a")
    asks_not, _root = booted(tmp_path / "b", MODULE_SIG="n")

    for sandbox in (asks, asks_not):
        sandbox.insert(an_image(unsigned))

    assert (asks.modules()[0].taints, asks_not.modules()[0].taints) == ("E", "")


def test_module_sig_force_demands_one(tmp_path: Path) -> None:
    sandbox, _root = booted(tmp_path, MODULE_SIG_FORCE="y")

    assert answer(sandbox, a_module(vermagic=VERMAGIC)) == errno.EKEYREJECTED


def test_a_kernel_without_modules_takes_none(tmp_path: Path) -> None:
    sandbox, root = booted(tmp_path, MODULES="n")

    with pytest.raises(NoModuleSupportError):
        sandbox.insert(module_file(root, "base"))
    with pytest.raises(NoModuleSupportError):
        sandbox.remove(ModuleName("base"))

    assert "modules" not in sandbox.listing("/proc")


def test_a_struct_module_of_another_size_is_refused_and_said_why(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path, struct_module_size=1280)

    with pytest.raises(KernelError) as caught:
        sandbox.insert(module_file(root, "base"))

    assert (caught.value.errno, caught.value.log) == (errno.ENOEXEC, ())
    assert "never load this one there" in caught.value.remedy


def test_the_format_that_it_unpacks_is_shown_if_it_unpacks_any(tmp_path: Path) -> None:
    xz, _root = booted(tmp_path / "a", MODULE_COMPRESS_GZIP="n")
    none, _root = booted(tmp_path / "b", MODULE_DECOMPRESS="n")

    assert xz.read("/sys/module/compression") == b"xz\n"
    assert "compression" not in none.listing("/sys/module")
