"""What an init function is said to return, and what it asks the crypto API for."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from lkm.errors import CannotTellError, InUseError, KernelError
from lkm.kernel.sandbox import Sandbox
from lkm.loader.checks import Verdict, examine
from lkm.loader.facts import KernelFacts, KernelSymbol, Providers
from lkm.loader.findings import Finding
from lkm.names import ModuleName
from tests.builders.elf import (
    FUNC,
    SHF_ALLOC,
    SHF_EXECINSTR,
    ARelocation,
    ASection,
    ASymbol,
    a_module,
)
from tests.kernel.trees import RELEASE, VERMAGIC, a_root, a_sandbox, an_image

CALL, ADDRESS = 4, 11  # R_X86_64_PLT32, R_X86_64_32S


def nobody_offers(_algorithm: str) -> Providers:
    return Providers((), ())


def an_asking_module(
    *, argument: bool = True, asks: str = "crypto_alloc_shash", **parts: object
) -> bytes:
    """Build a module whose init loads the address of "crc32c" and calls *asks*."""
    code = ASection(".init.more", bytes(16), flags=SHF_ALLOC | SHF_EXECINSTR, align=16)
    symbols = [
        ASymbol("init_module", code.name, type=FUNC, size=16),
        ASymbol("texts", ".rodata.str1.1"),
        ASymbol(asks),
    ]
    call = ARelocation(8, asks, CALL, -4)
    given: dict[str, object] = {
        "vermagic": VERMAGIC,
        "init": False,  # it has one all the same, in a section of zeros
        "extra": (ASection(".rodata.str1.1", b"other\0crc32c\0", flags=0x32), code),
        "extra_symbols": symbols,
        "extra_relocations": {
            code.name: [ARelocation(1, "texts", ADDRESS, 6), call] if argument else [call]
        },
    }
    return a_module(**(given | parts))


def verdict_of(data: bytes, init_returns: int | None = None, **parts: object) -> Verdict:
    names = ("crypto_alloc_shash", "crypto_has_ahash", "crypto_register_shash")
    symbols = {name: (KernelSymbol(name=name, address=0xFFFF_FFFF_8100_0000),) for name in names}
    kernel = replace(KernelFacts(release=RELEASE, symbols=symbols), **parts)  # type: ignore[arg-type]  # fields of its own
    return examine(an_image(data), kernel, init_returns=init_returns)


def init_findings(verdict: Verdict) -> list[Finding]:
    return [finding for finding in verdict.findings if finding.check == "init"]


@pytest.mark.parametrize("number", [1, errno.EEXIST, 4095])
def test_a_negative_answer_is_the_errno_and_the_last_thing_that_is_found(number: int) -> None:
    verdict = verdict_of(a_module(vermagic=VERMAGIC), -number)

    assert verdict.errno == number
    assert verdict.findings[-1].check == "init"
    assert verdict.findings[-1].log == ()
    assert str(-number) in verdict.findings[-1].evidence


def test_a_positive_answer_loads_and_is_logged() -> None:
    verdict = verdict_of(a_module(vermagic=VERMAGIC), 5)

    assert verdict.errno == 0
    assert verdict.log[-1].level == 4
    assert verdict.log[-1].text.startswith("do_init_module: 'tiny'->init suspiciously returned 5,")


def test_without_an_init_function_nothing_is_returned() -> None:
    assert init_findings(verdict_of(a_module(vermagic=VERMAGIC, init=False), -1)) == []


def test_an_algorithm_that_nobody_offers_cannot_be_told() -> None:
    verdict = verdict_of(an_asking_module(), algorithms=nobody_offers)

    (finding,) = init_findings(verdict)
    assert (finding.could_not_tell, finding.errno, verdict.errno) == (True, 0, 0)
    assert "crc32c" in finding.evidence
    assert finding in verdict.doubts


def test_the_evidence_names_who_would_offer_it_and_the_remedy_the_generic_one() -> None:
    offered = Providers((), ("crc32c_intel", "crc32c_generic"))
    (finding,) = init_findings(verdict_of(an_asking_module(), algorithms=lambda _name: offered))

    assert "crc32c_intel and crc32c_generic would" in finding.evidence
    assert finding.remedy.startswith("load crc32c_generic first")


def test_it_is_asked_for_by_the_text_before_the_call() -> None:
    asked: list[str] = []

    def offers(algorithm: str) -> Providers:
        asked.append(algorithm)
        return Providers(("crc32c_generic",), ())

    assert init_findings(verdict_of(an_asking_module(), algorithms=offers)) == []
    assert asked == ["crc32c"]


@pytest.mark.parametrize(
    ("softdep", "told"), [(("softdep=pre: crct10dif post: x",), "crct10dif"), ((), "not told")]
)
def test_without_a_text_the_soft_dependency_tells(softdep: tuple[str, ...], told: str) -> None:
    data = an_asking_module(argument=False, modinfo=softdep)

    (finding,) = init_findings(verdict_of(data, algorithms=nobody_offers))

    assert told in finding.evidence


def test_where_nobody_knows_who_offers_what_that_is_said() -> None:
    (finding,) = init_findings(verdict_of(an_asking_module()))

    assert "not known" in finding.evidence


def test_an_answer_that_is_given_ends_the_doubt() -> None:
    assert init_findings(verdict_of(an_asking_module(), 0, algorithms=nobody_offers)) == []


@pytest.mark.parametrize(
    ("asks", "name"), [("crypto_register_shash", "tiny"), ("crypto_alloc_shash", "crc_t10dif")]
)
def test_who_asks_for_nothing_or_can_do_without_is_in_no_doubt(asks: str, name: str) -> None:
    data = an_asking_module(asks=asks, name=name)

    assert init_findings(verdict_of(data, algorithms=nobody_offers)) == []


def a_crypto_tree(folder: Path) -> Sandbox:
    alias = ("alias=crypto-crc32c", "alias=crc32c")
    provider = a_module(name="crc32c_generic", vermagic=VERMAGIC, modinfo=alias)
    modules = {"tiny": an_asking_module(), "crc32c_generic": provider}
    return a_sandbox(folder, modules=modules)[0]


def test_the_sandbox_does_not_decide_and_changes_nothing(tmp_path: Path) -> None:
    sandbox = a_crypto_tree(tmp_path)

    with pytest.raises(CannotTellError) as caught:
        sandbox.insert(an_image(an_asking_module()))

    assert "crc32c_generic" in caught.value.remedy
    assert (sandbox.modules(), sandbox.log(), sandbox.status().tainted) == ((), (), 0)


def test_with_the_provider_loaded_it_does(tmp_path: Path) -> None:
    sandbox = a_crypto_tree(tmp_path)
    generic = ModuleName("crc32c_generic")
    data = a_module(name=generic, vermagic=VERMAGIC)

    sandbox.insert(an_image(data, generic), init_returns="never")
    with pytest.raises(CannotTellError):
        sandbox.insert(an_image(an_asking_module()))
    sandbox.finish(generic)
    sandbox.insert(an_image(an_asking_module()))

    assert [module.name for module in sandbox.modules()] == ["tiny", "crc32c_generic"]


def test_libcrc32c_keeps_its_algorithm_by_a_reference_that_names_nobody(tmp_path: Path) -> None:
    """As a real 6.1 shows it: ``crc32c_generic 16384 1 - Live``."""
    sandbox = a_crypto_tree(tmp_path)
    generic = ModuleName("crc32c_generic")
    sandbox.insert(an_image(a_module(name=generic, vermagic=VERMAGIC), generic))
    sandbox.insert(an_image(an_asking_module(), "tiny"))
    assert sandbox.modules()[-1].refcnt == 0  # not every module keeps what it asks for

    sandbox.insert(an_image(an_asking_module(name="libcrc32c"), "libcrc32c"))

    found = sandbox.find(generic)
    assert found is not None
    assert (found.refcnt, found.holders) == (1, ())
    with pytest.raises(InUseError):
        sandbox.remove(generic)
    with pytest.raises(KernelError):
        sandbox.release_hold(generic)  # nobody has taken that one by hand
    sandbox.remove(ModuleName("libcrc32c"))
    sandbox.remove(generic)
    assert [module.name for module in sandbox.modules()] == ["tiny"]


def test_a_provider_that_is_built_in_is_enough(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root", {"tiny": an_asking_module()})
    tree = root / "lib/modules" / RELEASE
    (tree / "modules.builtin").write_text("kernel/crypto/crc32c_generic.ko\n")
    (tree / "modules.builtin.modinfo").write_bytes(b"crc32c_generic.alias=crypto-crc32c\0")
    sandbox = Sandbox(str(tmp_path / "state"))
    sandbox.boot(RELEASE, str(root))

    sandbox.insert(an_image(an_asking_module()))

    assert sandbox.modules()[0].name == "tiny"


def test_what_is_said_that_init_returns_decides(tmp_path: Path) -> None:
    sandbox = a_crypto_tree(tmp_path)

    sandbox.insert(an_image(an_asking_module()), init_returns=0)

    assert sandbox.modules()[0].state == "live"
