"""Debian's modules as real kernels showed them once they were live: to the byte and address."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lkm.elf.file import Section
from lkm.kernel.image_facts import image_facts, kernel_options
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.memory.layout import Layout, layout
from lkm.loader.options import KernelOptions
from lkm.loader.symbols.kallsyms import module_symbols
from lkm.module.file import image_from_bytes
from tests.conftest import missing
from tests.debian import NotHere
from tests.loader.examining import facts_of
from tests.loader.recording import DATA, Shown, digest, read
from tests.outcomes.case import Modules
from tests.outcomes.kernels import RealKernel
from tests.outcomes.uml import UserModeLinux

RECORDED = ("6.1.0-56-amd64", "6.12.117+deb12-amd64")


@pytest.mark.debian
@pytest.mark.oracle
@pytest.mark.parametrize("release", RECORDED)
def test_size_symbols_and_addresses_are_those_that_a_real_kernel_showed(release: str) -> None:
    try:
        real = RealKernel.of(f"linux-image-{release}")
    except NotHere as reason:
        missing("debian", f"the kernel whose modules were recorded is not to be had: {reason}")
        raise
    options, _assumed = kernel_options(image_facts(str(real.root), release, ""), "")
    kernel = KernelFacts(release=release, options=options)
    recorded = read(DATA / f"modules-{release}.json")

    assert _wrong(real, kernel, recorded) == {}
    assert len(recorded) >= 140


@pytest.mark.debian
@pytest.mark.oracle
def test_user_mode_linux_shows_them_so_too_without_pages_of_their_own_and_data_symbols() -> None:
    try:
        real = UserModeLinux.here()
    except NotHere as reason:
        missing("debian", f"Debian's user-mode Linux is not to be had: {reason}")
        raise
    if not (DATA / f"modules-{real.release}.json").is_file():
        missing("debian", f"user-mode Linux {real.release} is not the one that was recorded")
    kernel = KernelFacts(release=real.release, options=KernelOptions.from_config(real.config))
    recorded = read(DATA / f"modules-{real.release}.json")

    assert not kernel.options.strict_module_rwx
    assert not kernel.options.kallsyms_all
    assert _wrong(real, kernel, recorded) == {}
    assert len(recorded) >= 140


def _wrong(
    real: Modules, kernel: KernelFacts, recorded: Mapping[str, Shown]
) -> dict[str, list[str]]:
    """Return what the engine says otherwise than it was recorded, by module."""
    wrong: dict[str, list[str]] = {}
    for name, shown in recorded.items():
        module = facts_of(image_from_bytes(real.debian(name), name=name), kernel)
        found = _differences(module, layout(module, kernel.version, kernel.options), shown)
        if found:
            wrong[name] = found
    return wrong


def _differences(module: ModuleFacts, laid_out: Layout, shown: Shown) -> list[str]:
    addresses = _addresses(module.sections, laid_out, shown)
    lines = [
        f"{each.address:016x} {each.type} {each.name}"
        for each in module_symbols(module, laid_out, addresses)
    ]
    ours = {
        "size": laid_out.size,
        "symbols": len(lines),
        "names": digest([line[17:] for line in lines]),
        "lines": digest(lines),
    }
    found = [key for key, value in ours.items() if value != getattr(shown, key)]
    named = {
        module.sections[index].name for index in laid_out.offsets if module.sections[index].size
    }
    if named != set(shown.sections):
        found.append(f"sections: {sorted(named ^ set(shown.sections))}")
    starts: dict[tuple[str, bool], set[int]] = {}
    for index, (kind, init, offset) in laid_out.offsets.items():
        if index in addresses and module.sections[index].size:
            starts.setdefault((kind, init), set()).add(addresses[index] - offset)
    found += [f"area {area}: {starts[area]}" for area in starts if len(starts[area]) > 1]
    return found


def _addresses(sections: tuple[Section, ...], laid_out: Layout, shown: Shown) -> Mapping[int, int]:
    """Return where each section lay, by its index."""
    found = {
        index: shown.sections[sections[index].name]
        for index in laid_out.offsets
        if sections[index].name in shown.sections
    }
    # An empty section is not shown, and yet there are symbols in it.
    starts = {
        laid_out.offsets[index][:2]: address - laid_out.offsets[index][2]
        for index, address in found.items()
    }
    for index, (kind, init, offset) in laid_out.offsets.items():
        if not sections[index].size and (kind, init) in starts:
            found[index] = starts[kind, init] + offset
    if laid_out.percpu is not None and shown.percpu is not None:
        found[laid_out.percpu.index] = shown.percpu
    return found
