"""Which algorithms an init function asks the crypto API for, read off its relocations."""

from __future__ import annotations

import pytest

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.file.given import GivenFile
from lkm.loader.file.module_facts import module_facts
from lkm.loader.init.algorithms import asked_algorithms
from lkm.module.file import ModuleImage, read_image
from tests.builders.elf import (
    FUNC,
    SHF_ALLOC,
    SHF_EXECINSTR,
    ARelocation,
    ASection,
    ASymbol,
    a_module,
)
from tests.conftest import missing
from tests.debian import NotHere, a_kernel
from tests.kernel.trees import an_image

PLT32, ADDRESS = 4, 11
CODE = SHF_ALLOC | SHF_EXECINSTR
ASKING = "crypto_alloc_shash"


def facts_of(image: ModuleImage) -> ModuleFacts:
    kernel = KernelFacts(release="6.1.0")
    return module_facts(image.path, GivenFile.of(image, kernel, 0))


def a_caller(call: ARelocation | None, code: bytes = bytes(16), *, functions: int = 1) -> bytes:
    """Build a module whose init does *code* with *call*; the others in its section ask for "sha1".

    Each of *functions* calls the next one, the last asks.
    """
    names = [f"inner{number}" for number in range(functions)]
    symbols = [
        ASymbol("init_module", ".init.more", type=FUNC, size=16),
        *(ASymbol(name, ".more", 16 * at, 16, type=FUNC) for at, name in enumerate(names)),
        ASymbol("other", ".init.more", 16, 16, type=FUNC),
        ASymbol("texts", ".rodata.str1.1"),
        ASymbol(ASKING),
    ]
    asking = [ARelocation(1, "texts", ADDRESS), ARelocation(8, ASKING, PLT32, -4)]
    more = [ARelocation(16 * at + 1, name, PLT32, -4) for at, name in enumerate(names[1:])] + [
        ARelocation(16 * (functions - 1) + r.offset, r.symbol, r.type, r.addend) for r in asking
    ]
    inner = [ARelocation(16 + r.offset, r.symbol, r.type, r.addend) for r in asking]
    return a_module(
        init=False,
        extra=(
            ASection(".init.more", code + bytes(16), flags=CODE, align=16),
            ASection(".more", bytes(16 * functions), flags=CODE, align=16),
            ASection(".rodata.str1.1", b"sha1\0", flags=0x32),
        ),
        extra_symbols=symbols,
        extra_relocations={
            ".init.more": ([call] if call is not None else []) + inner,
            ".more": more,
        },
    )


def asked(data: bytes) -> tuple[str, ...]:
    return asked_algorithms(facts_of(an_image(data)))


def test_what_a_function_asks_for_counts_once_init_calls_it() -> None:
    assert asked(a_caller(ARelocation(1, "inner0", PLT32, -4))) == ("sha1",)
    assert asked(a_caller(None)) == ()


def test_a_function_whose_address_is_only_taken_is_not_called() -> None:
    assert asked(a_caller(ARelocation(1, "inner0", ADDRESS))) == ()


def test_a_call_within_the_section_needs_no_relocation() -> None:
    call = b"\x90\xe8" + (10).to_bytes(4, "little") + bytes(10)

    assert asked(a_caller(None, call)) == ("sha1",)


def test_what_lies_deep_is_for_devices_and_not_followed() -> None:
    call = ARelocation(1, "inner0", PLT32, -4)

    assert asked(a_caller(call, functions=2)) == ("sha1",)
    assert asked(a_caller(call, functions=3)) == ()


def test_more_than_can_be_looked_at_is_not_told() -> None:
    large = ASection(".init.more", bytes(1 << 19), flags=CODE)
    symbols = [ASymbol("init_module", ".init.more", type=FUNC), ASymbol(ASKING)]

    assert asked(a_module(init=False, extra=(large,), extra_symbols=symbols)) == ("",)


@pytest.mark.debian
@pytest.mark.parametrize(
    ("module", "algorithms"),
    [
        ("libcrc32c", ("crc32c",)),
        ("ppp_mppe", ("sha1",)),
        ("ubifs", ("",)),
        ("crc-t10dif", ()),
        ("airo", ()),
        ("btrfs", ()),
    ],
)
def test_debians_modules_ask_for_what_their_sources_name(
    module: str, algorithms: tuple[str, ...]
) -> None:
    try:
        root = a_kernel("linux-image-amd64")
    except NotHere as error:
        missing("debian", str(error))
        raise
    (path,) = root.rglob(f"{module}.ko")

    assert asked_algorithms(facts_of(read_image(str(path)))) == algorithms
