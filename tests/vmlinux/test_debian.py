"""Facts of Debian's kernel images, against what Debian's packages say of the same kernels."""

from __future__ import annotations

import os
import re
import shutil
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lkm.cache import Cache
from lkm.errors import FormatError
from lkm.module.facts import Module
from lkm.vmlinux.answers import CouldNotTell, LayoutNotKnown
from lkm.vmlinux.config import read_config_file
from lkm.vmlinux.container import unpack
from lkm.vmlinux.facts import VmlinuxFacts, facts_of, read_facts
from lkm.vmlinux.image import KernelImage
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.saved import load, save
from tests.builders.vmlinux import a_pe, a_zboot
from tests.conftest import missing
from tests.debian import NotHere
from tests.vmlinux.kernels import KINDS, RealKernel, arm64_kernel, real_kernel

pytestmark = pytest.mark.debian

AARCH64 = 183


def or_skip(fetch: Callable[[], RealKernel]) -> RealKernel:
    try:
        return fetch()
    except NotHere as error:
        missing("debian", str(error))
        raise


@pytest.fixture(scope="module", params=KINDS)
def kernel(request: pytest.FixtureRequest) -> RealKernel:
    return or_skip(lambda: real_kernel(str(request.param)))


@pytest.fixture(scope="module")
def facts(kernel: RealKernel) -> VmlinuxFacts:
    return read_facts(str(kernel.image))


@pytest.fixture(scope="module")
def arm64() -> KernelImage:
    return KernelImage.open(str(or_skip(arm64_kernel).image))


def test_every_export_is_that_of_module_symvers(kernel: RealKernel, facts: VmlinuxFacts) -> None:
    lines = [line.split("\t") for line in kernel.symvers().read_text().splitlines()]
    expected = {
        (name, int(crc, 16), kind == "EXPORT_SYMBOL_GPL", namespace)
        for crc, name, owner, kind, namespace in lines
        if owner == "vmlinux"
    }

    assert isinstance(facts.exports, tuple)
    found = {(each.name, each.crc, each.gpl_only, each.namespace) for each in facts.exports}
    assert found == expected
    assert len(facts.exports) == len(expected) > 9000


def test_every_export_of_the_kernel_lies_where_kallsyms_says(facts: VmlinuxFacts) -> None:
    assert isinstance(facts.exports, tuple)
    assert isinstance(facts.kallsyms, KernelSymbols)
    symbols = {(address, name) for address, _type, name in facts.kallsyms}
    wrong = [each.name for each in facts.exports if (each.address, each.name) not in symbols]

    assert wrong == []


def test_release_and_banner_are_those_of_the_package(
    kernel: RealKernel, facts: VmlinuxFacts
) -> None:
    assert facts.release == kernel.release
    assert facts.banner is not None
    assert facts.banner.startswith(f"Linux version {kernel.release} (debian-kernel@")
    assert " #1 SMP " in facts.banner


def test_vermagic_is_that_of_the_modules(kernel: RealKernel, facts: VmlinuxFacts) -> None:
    for path in kernel.modules(20):
        with Module.open(str(path)) as module:
            assert module.vermagic == facts.vermagic


def test_the_certificate_is_the_one_that_signed_the_modules(
    kernel: RealKernel, facts: VmlinuxFacts
) -> None:
    assert isinstance(facts.certificates, tuple)
    (certificate,) = facts.certificates
    for path in kernel.modules(20):
        with Module.open(str(path)) as module:
            assert module.signature is not None
            assert module.signature.key_id == certificate.serial
            assert module.signature.signer == certificate.subject


def test_the_size_of_struct_module_is_what_btf_says(
    kernel: RealKernel, facts: VmlinuxFacts
) -> None:
    assert facts.struct_module_size == (896 if kernel.release.startswith("6.1.") else 1280)
    assert isinstance(facts.type_count, int)
    assert facts.type_count > 90_000


def test_the_configuration_is_in_the_file_beside_it(
    kernel: RealKernel, facts: VmlinuxFacts
) -> None:
    config = read_config_file(str(kernel.config))

    assert isinstance(facts.config, CouldNotTell)
    assert config["CONFIG_MODULES"] == config["CONFIG_KALLSYMS_ALL"] == "y"
    assert config["CONFIG_MODULE_SIG_FORCE"] == "n"
    assert config["CONFIG_LSM"].startswith("landlock,")
    options = re.findall(r"^(?:# )?CONFIG_\w+(?:=| is not set)", kernel.config.read_text(), re.M)
    assert len(config) == len(options)


def test_facts_are_saved_in_little_and_read_back(facts: VmlinuxFacts) -> None:
    saved = save(facts)

    # A megabyte of symbols, and the names of all types, which modules' own types build on.
    assert len(saved) < 1_700_000
    assert load(saved) == facts


def bytes_read() -> int:
    """Return how many bytes this process has read so far."""
    (line,) = re.findall(r"^rchar: (\d+)$", Path("/proc/self/io").read_text(), re.M)
    return int(line)


def test_remembered_facts_are_read_instead_of_the_image(
    kernel: RealKernel, facts: VmlinuxFacts, tmp_path: Path
) -> None:
    image = tmp_path / "vmlinuz"
    shutil.copyfile(kernel.image, image)
    cache = Cache(str(tmp_path / "cache"))
    # A file that changed a moment ago is not remembered.
    time.sleep(2.1)
    assert read_facts(str(image), cache=cache) == facts
    assert len(os.listdir(cache.folder)) == 1

    before = bytes_read()
    again = read_facts(str(image), cache=cache)

    assert again == facts
    assert bytes_read() - before < image.stat().st_size // 4


def test_an_image_cut_at_the_edges_of_its_parts_is_a_format_error(kernel: RealKernel) -> None:
    whole = kernel.image.read_bytes()
    setup = (whole[0x1F1] + 1) * 512
    offset, size = (int.from_bytes(whole[at : at + 4], "little") for at in (0x248, 0x24C))
    start, end = setup + offset, setup + offset + size
    edges = [
        0x1F1,
        0x206,
        0x24C,
        0x250,
        setup,
        start,
        start + 4,
        start + 12,
        start + size // 2,
        end,
    ]
    for edge in edges:
        for place in (edge - 1, edge):
            if place < end:
                with pytest.raises(FormatError):
                    unpack(whole[:place])
    if kernel.release.endswith("-amd64") and "cloud" not in kernel.release:
        assert unpack(whole[:end]).kind == "elf"


def test_an_unpacked_kernel_cut_at_the_edges_of_its_sections_is_a_format_error(
    kernel: RealKernel,
) -> None:
    whole = KernelImage.open(str(kernel.image))
    for section in whole.sections:
        with pytest.raises(FormatError):
            KernelImage.from_bytes(whole.data[: section.offset])


def test_an_arm64_image_without_sections_tells_what_it_can(arm64: KernelImage) -> None:
    facts = facts_of(arm64)

    assert (facts.release, facts.machine) == (or_skip(arm64_kernel).release, AARCH64)
    assert isinstance(facts.exports, LayoutNotKnown)
    assert isinstance(facts.config, CouldNotTell)
    assert facts.struct_module_size == 896
    assert isinstance(facts.certificates, tuple)
    for path in or_skip(arm64_kernel).modules(5):
        with Module.open(str(path)) as module:
            assert module.vermagic == facts.vermagic
            assert module.signature is not None
            assert module.signature.key_id == facts.certificates[0].serial


def test_an_arm64_image_is_the_same_in_every_wrapper(arm64: KernelImage) -> None:
    packed = zlib.compress(arm64.data, 1, 31)
    uki = KernelImage.from_bytes(a_pe([(b".linux", a_zboot(packed, "gzip"))], machine=0xAA64))

    assert uki.wrappers == ("UKI", "zboot", "gzip")
    assert uki.data == arm64.data
