"""Which relocations the loader goes through, whatever the processor."""

from __future__ import annotations

import errno
import random
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lkm.loader.facts import KernelFacts, KernelSymbol
from lkm.loader.options import KernelOptions
from lkm.module.file import read_image
from lkm.vmlinux.facts import read_facts
from tests.builders.elf import (
    EM_AARCH64,
    EM_S390,
    EM_X86_64,
    SHF_ALLOC,
    SHF_WRITE,
    SHT_REL,
    ARelocation,
    ASection,
)
from tests.conftest import missing
from tests.debian import NotHere, unpacked
from tests.loader.examining import a_kernel, examined
from tests.loader.relocating import KERNEL_SYMBOLS, PLACE, a_relocated, findings_of, texts_of

UNKNOWN = ARelocation(0, 0, type=99)
LIVEPATCH = 0x0010_0000
SAMPLE = 400


class Everything(Mapping[str, tuple[KernelSymbol, ...]]):
    """A kernel that exports any name, and does not say where it is."""

    def __getitem__(self, name: str) -> tuple[KernelSymbol, ...]:
        return (KernelSymbol(name=name),)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def rel(flags: int = 0x40, name: str = ".rel.scratch", kind: int = SHT_REL) -> ASection:
    return ASection(name, struct.pack("<QQ", 0, 1) * 3, kind, flags, link=".symtab", info=PLACE)


def test_an_unknown_type_refuses_the_module_and_is_told() -> None:
    (finding,) = findings_of(a_relocated(UNKNOWN))

    assert (finding.check, finding.errno) == ("relocation", errno.ENOEXEC)
    assert texts_of([finding]) == ["3 module: tm: Unknown rela relocation: 99"]


def test_of_several_the_first_that_is_refused_counts() -> None:
    other = ARelocation(8, 0, type=98)

    assert texts_of(findings_of(a_relocated(other, UNKNOWN))) == [
        "3 module: tm: Unknown rela relocation: 98"
    ]


def test_what_takes_no_memory_is_not_relocated() -> None:
    assert findings_of(a_relocated(UNKNOWN, flags=SHF_WRITE)) == []


@pytest.mark.parametrize("name", ["__versions", ".data..percpu"])
def test_what_the_loader_has_taken_out_is_not_relocated(name: str) -> None:
    taken_out = ASection(name, bytes(64), flags=SHF_ALLOC)

    data = a_relocated(extra=(taken_out,), extra_relocations={name: [UNKNOWN]})

    assert findings_of(data) == []


def test_a_section_index_out_of_range_is_passed_over() -> None:
    beyond = ASection(".rela.beyond", bytes(24), 4, 0x40, link=".symtab", info=0xFFFF)

    assert findings_of(a_relocated(extra=(beyond,))) == []


def test_relocations_without_addends_refuse_the_module_even_if_there_are_none() -> None:
    for section in (rel(), ASection(".rel.scratch", b"", SHT_REL, 0x40, info=PLACE)):
        assert texts_of(findings_of(a_relocated(extra=(section,)))) == [
            "3 module tm: REL relocation unsupported"
        ]


def test_what_is_marked_for_livepatching_waits_for_its_object() -> None:
    named = rel(LIVEPATCH, ".klp.rela.ext4.text", 4)

    assert findings_of(a_relocated(extra=(named,))) == []


def test_what_is_marked_for_livepatching_but_not_named_for_it_is_refused() -> None:
    (finding,) = findings_of(a_relocated(extra=(rel(LIVEPATCH),)))

    assert finding.errno == errno.EINVAL
    assert texts_of([finding]) == [
        "3 livepatch: section .rel.scratch has an incorrectly formatted name"
    ]


def test_without_livepatching_what_is_marked_for_it_is_left_alone() -> None:
    kernel = a_kernel(options=KernelOptions(livepatch=False))

    assert findings_of(a_relocated(extra=(rel(LIVEPATCH),)), kernel) == []


def test_a_livepatch_of_the_kernel_itself_cannot_be_told() -> None:
    (finding,) = findings_of(a_relocated(extra=(rel(LIVEPATCH, ".klp.rela.vmlinux.text", 4),)))

    assert (finding.errno, finding.could_not_tell) == (0, True)


def test_relocations_of_another_processor_cannot_be_told() -> None:
    kernel = a_kernel(machine=EM_S390, order=">")

    (finding,) = findings_of(a_relocated(UNKNOWN, machine=EM_S390, order=">"), kernel)

    assert (finding.errno, finding.could_not_tell) == (0, True)
    assert "machine 22" in finding.evidence


def test_relocations_that_change_the_symbols_cannot_be_told() -> None:
    changing = ASection(".rela.x", bytes(24), 4, 0x40, link=".symtab", info=".symtab")

    (finding,) = findings_of(a_relocated(extra=(changing,)))

    assert finding.could_not_tell


def test_tables_that_lie_over_each_other_are_not_gone_through() -> None:
    data = bytearray(a_relocated(UNKNOWN))
    at = struct.unpack_from("<Q", data, 40)[0]
    count = struct.unpack_from("<H", data, 60)[0]
    for index in range(count):
        if struct.unpack_from("<I", data, at + 64 * index + 4)[0] == 4:
            struct.pack_into("<QQ", data, at + 64 * index + 24, 0, len(data))

    (finding,) = findings_of(bytes(data))

    assert finding.could_not_tell


@pytest.mark.parametrize(("imports", "number"), [((), errno.ENOEXEC), (("gone",), errno.ENOENT)])
def test_the_engine_comes_to_them_after_the_symbols(imports: tuple[str, ...], number: int) -> None:
    kernel = a_kernel(*KERNEL_SYMBOLS, modversions=False)
    data = a_relocated(UNKNOWN, imports=imports, vermagic=kernel.vermagic)

    assert examined(data, kernel).errno == number


@pytest.mark.debian
@pytest.mark.parametrize(
    ("release", "machine"),
    [
        ("6.1.0-56-amd64", EM_X86_64),
        ("6.12.117+deb12-amd64", EM_X86_64),
        ("6.1.0-56-arm64", EM_AARCH64),
    ],
)
def test_debians_modules_can_all_be_relocated(release: str, machine: int) -> None:
    architecture = "arm64" if machine == EM_AARCH64 else ""
    try:
        root = unpacked(f"linux-image-{release}", architecture)
    except NotHere as reason:
        missing("debian", str(reason))
        raise
    kernel = KernelFacts(release=release, machine=machine, symbols=symbols_of(root, release))
    paths = sorted((root / "lib/modules").rglob("*.ko*"))
    for path in random.Random(6).sample(paths, SAMPLE):  # a choice, no secret
        assert findings_of(read_image(str(path)).data, kernel) == [], path.name


def symbols_of(root: Path, release: str) -> Mapping[str, tuple[KernelSymbol, ...]]:
    """Return what the image exports, with addresses; any name where it does not tell."""
    exports = read_facts(str(root / f"boot/vmlinuz-{release}")).exports
    if not isinstance(exports, tuple):
        return Everything()
    return {each.name: (KernelSymbol(name=each.name, address=each.address),) for each in exports}
