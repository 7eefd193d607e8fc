"""Booting with what a kernel's image tells, and without some of it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError, KernelError, UsageError
from lkm.kernel.sandbox import Sandbox
from lkm.loader.options import OPTION_NAMES
from lkm.vmlinux.answers import CouldNotTell, LayoutNotKnown, NotThere
from lkm.vmlinux.exports import KernelExport
from lkm.vmlinux.kallsyms import KernelSymbols
from tests.kernel.images import BANNER, SYMBOLS, a_config, a_known_sandbox, saved_facts
from tests.kernel.trees import (
    GPL_CRC,
    LAYOUT_CRC,
    RELEASE,
    VERMAGIC,
    a_root,
    a_signed,
    an_image,
    module_file,
)

WHY = CouldNotTell("the test keeps it")


def test_the_image_tells_exports_vermagic_and_options(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path)

    status = sandbox.status()

    facts = f"{root}/boot/facts-{RELEASE}"
    assert (status.image, status.exports_source, status.config_source) == (facts, facts, facts)
    assert (status.exports, status.assumed) == (4, False)
    assert (status.vermagic, status.vermagic_told) == (VERMAGIC, True)
    assert (status.assumed_options, status.notes, status.unreadable) == ((), (), None)
    assert sandbox.read("/proc/version") == f"{BANNER}\n".encode()
    for name in ("base", "middle", "top"):
        sandbox.insert(module_file(root, name))
    assert sandbox.log() == ()


def test_licence_and_namespace_of_the_kernels_exports_are_obeyed(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path)
    versions = {"module_layout": LAYOUT_CRC, "kernel_gpl": 0x77, "kernel_spaced": 0x88}

    def answer(**parts: object) -> int:
        try:
            sandbox.insert(an_image(a_signed("tiny", versions=versions, **parts)))
        except KernelError as error:
            return error.errno
        sandbox.remove(sandbox.modules()[0].name)
        return 0

    assert answer(imports=("kernel_gpl",)) == 0
    assert answer(imports=("kernel_gpl",), license="Secret") == errno.ENOENT
    assert answer(imports=("kernel_spaced",)) == errno.EINVAL
    spaced = ("intree=Y", "retpoline=Y", "import_ns=KNS")
    assert answer(imports=("kernel_spaced",), modinfo=spaced) == 0
    assert answer(imports=("nobodys",)) == errno.ENOENT


def test_kallsyms_are_the_kernels_own_and_then_the_modules(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path)
    before = sandbox.read("/proc/kallsyms")
    for name in ("base", "middle"):
        sandbox.insert(module_file(root, name))
    lines = sandbox.read("/proc/kallsyms").decode().splitlines()

    assert before == SYMBOLS.as_text()
    assert lines[:5] == before.decode().splitlines()
    modules = [line.partition("\t")[2] for line in lines[5:]]
    assert modules == sorted(modules, reverse=True), "in the order of /proc/modules"
    assert "ffffffffc0201000 T plain\t[base]" in lines
    assert "ffffffffc0201000 t gpl\t[base]" in lines


def test_the_kernels_end_of_percpu_data_is_where_modules_begin(tmp_path: Path) -> None:
    from tests.builders.elf import ASection, ASymbol

    percpu = ASection(".data..percpu", b"\0" * 24, flags=3, align=16)
    counter = ASymbol("a_counter", ".data..percpu", 8)
    modules = {
        name: a_signed(name, extra=(percpu,), extra_symbols=(counter,)) for name in ("one", "two")
    }
    sandbox, root = a_known_sandbox(tmp_path, modules=modules)

    def lines() -> list[str]:
        text = sandbox.read("/proc/kallsyms").decode()
        return [line for line in text.splitlines() if "a_counter" in line]

    sandbox.insert(module_file(root, "one"))
    sandbox.insert(module_file(root, "two"))

    assert lines() == [
        "0000000000004028 a a_counter\t[two]",
        "0000000000004008 a a_counter\t[one]",
    ]
    sandbox.remove(sandbox.modules()[1].name)
    sandbox.insert(module_file(root, "one"))
    assert lines()[0] == "0000000000004008 a a_counter\t[one]", "the gap is used again"


def test_percpu_data_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    from tests.builders.elf import ASection

    huge = ASection(".data..percpu", type=8, flags=3, size=9000)
    sandbox, _root = a_known_sandbox(tmp_path)

    with pytest.raises(KernelError) as caught:
        sandbox.insert(an_image(a_signed("tiny", extra=(huge,))))

    assert caught.value.errno == errno.ENOMEM


def test_what_the_image_does_not_tell_is_taken_from_elsewhere_and_said(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(
        tmp_path,
        vermagic=WHY,
        exports=LayoutNotKnown("the test hides it"),
        kallsyms=WHY,
        struct_module_size=WHY,
        config=WHY,
    )

    status = sandbox.status()

    assert (status.vermagic, status.vermagic_told) == (VERMAGIC, False)
    assert (status.exports, status.assumed, status.unreadable) == (2, True, 0)
    assert status.config_source == ""
    assert set(status.assumed_options) == set(OPTION_NAMES) - {"MODULES", "MODULE_UNLOAD"}
    assert status.notes == (
        "vermagic: could not tell: the test keeps it",
        "exports: layout not known: the test hides it",
        "kallsyms: could not tell: the test keeps it",
        "size of struct module: could not tell: the test keeps it",
    )
    assert sandbox.read("/proc/kallsyms") == b"", "the kernel's own symbols are not known"


def test_the_symbol_table_tells_about_itself_without_a_configuration(tmp_path: Path) -> None:
    code = KernelSymbols(addresses=(0, 1), types="Tt", names=("a", "b"))
    none, _root = a_known_sandbox(tmp_path / "a", config=WHY, kallsyms=NotThere("no tokens"))
    part, _root = a_known_sandbox(tmp_path / "b", config=WHY, kallsyms=code)

    assert not none.status().options.kallsyms
    assert "kallsyms" not in none.listing("/proc")
    assert part.status().options.kallsyms
    assert not part.status().options.kallsyms_all
    assert not {"KALLSYMS", "KALLSYMS_ALL"} & set(part.status().assumed_options)


def test_the_configuration_beside_the_image_stands_in_for_one_built_in(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path, config=WHY)
    config = root / f"boot/config-{RELEASE}"
    config.write_text("CONFIG_MODULES=y\n# CONFIG_MODULE_UNLOAD is not set\nCONFIG_KALLSYMS=y\n")

    status = sandbox.boot(RELEASE, str(root))

    assert (status.config_source, status.assumed_options) == (str(config), ())
    assert not status.options.module_unload
    assert not status.modversions
    config.write_bytes(b"nothing in it\n")
    assert sandbox.boot(RELEASE, str(root)).assumed_options


def test_module_symvers_stands_in_for_exports_that_the_image_hides(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path, exports=WHY)
    symvers = root / "lib/modules" / RELEASE / "Module.symvers"
    symvers.write_text("0x1\tx\tvmlinux\tEXPORT_SYMBOL\t\n")

    status = sandbox.boot(RELEASE, str(root))

    assert (status.exports, status.exports_source) == (1, str(symvers))


def test_a_symvers_that_is_named_wins_over_the_image(tmp_path: Path) -> None:
    sandbox, root = a_known_sandbox(tmp_path)
    symvers = tmp_path / "mine"
    symvers.write_text("0x1\tx\tvmlinux\tEXPORT_SYMBOL\t\n")

    assert sandbox.boot(RELEASE, str(root), symvers=str(symvers)).exports == 1


def test_a_kernel_that_exports_nothing_is_believed(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path, exports=())

    assert (sandbox.status().exports, sandbox.status().assumed) == (0, False)


def test_an_image_that_is_named_must_be_good_and_of_that_release(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")
    named = tmp_path / "image"
    sandbox = Sandbox(str(tmp_path / "state"))
    named.write_bytes(saved_facts())
    assert sandbox.boot(RELEASE, str(root), vmlinux=str(named)).image == str(named)

    named.write_bytes(saved_facts(release="9.9.9"))
    with pytest.raises(UsageError, match=r"9\.9\.9"):
        sandbox.boot(RELEASE, str(root), vmlinux=str(named))
    named.write_bytes(saved_facts()[:-9])
    with pytest.raises(FormatError) as caught:
        sandbox.boot(RELEASE, str(root), vmlinux=str(named))
    assert caught.value.path == str(named)
    named.write_bytes(b"no kernel at all")
    with pytest.raises(FormatError):
        sandbox.boot(RELEASE, str(root), vmlinux=str(named))
    with pytest.raises(FileError):
        sandbox.boot(RELEASE, str(root), vmlinux=str(tmp_path / "gone"))
    assert sandbox.status().image == str(named), "a boot that fails leaves the old kernel"


@pytest.mark.parametrize(
    "contents", [b"", b"no kernel", b"\x7fELF", saved_facts()[:50], saved_facts(release="9.9.9")]
)
def test_an_image_that_was_only_found_is_left_out_when_it_is_no_good(
    tmp_path: Path, contents: bytes
) -> None:
    root = a_root(tmp_path / "root")
    (root / "boot").mkdir()
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes(contents)

    status = Sandbox(str(tmp_path / "state")).boot(RELEASE, str(root))

    assert (status.image, status.assumed) == ("", True)
    (note,) = status.notes
    assert note.startswith("image: ")
    assert f"vmlinuz-{RELEASE}" in note


def test_a_module_built_for_another_release_is_compared_with_the_image(tmp_path: Path) -> None:
    sandbox, _root = a_known_sandbox(tmp_path, vermagic=VERMAGIC.replace("preempt ", ""))

    with pytest.raises(KernelError) as caught:
        sandbox.insert(an_image(a_signed("tiny")))

    assert caught.value.errno == errno.ENOEXEC
    assert "version magic" in caught.value.log[0]


def test_a_later_crc_of_the_same_export_does_not_break_the_boot(tmp_path: Path) -> None:
    twice = (KernelExport("plain", GPL_CRC), KernelExport("plain", 1, gpl_only=True))

    sandbox, _root = a_known_sandbox(tmp_path, exports=twice, config=a_config())

    assert sandbox.status().exports == 1


def test_the_configuration_beside_a_named_image_goes_before_the_roots(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")
    for folder in (root / "boot", tmp_path / "mine"):
        folder.mkdir()
        (folder / f"config-{RELEASE}").write_text("CONFIG_MODULES=y\n")
    image = tmp_path / "mine" / "facts"
    image.write_bytes(saved_facts(config=WHY))
    sandbox = Sandbox(str(tmp_path / "sandbox.sqlite"))

    sandbox.boot(RELEASE, str(root), vmlinux=str(image))

    assert sandbox.status().config_source == str(tmp_path / "mine" / f"config-{RELEASE}")
