"""A kernel, a module, and what the one says of the other, for the tests of the checks."""

from __future__ import annotations

from types import MappingProxyType

from lkm.loader.checks import Verdict, examine
from lkm.loader.facts import KernelFacts, KernelSymbol, ModuleFacts
from lkm.loader.file.given import GivenFile
from lkm.loader.file.module_facts import module_facts
from lkm.module.file import ModuleImage, image_from_bytes
from tests.builders.elf import a_module
from tests.builders.pkcs7 import a_certificate, a_key, signed

VERMAGIC = "6.1.0-56-amd64 SMP preempt mod_unload modversions "
LAYOUT, PRINTK = 0x10, 0x20
KEY = a_key("rsa1024")
CERTIFICATE = a_certificate(KEY)

OUT_OF_TREE = "4 tm: loading out-of-tree module taints kernel."
UNSIGNED = (
    "5 tm: module verification failed: signature and/or required key missing - tainting kernel"
)
LOCKS = "4 Disabling lock debugging due to kernel taint"


def a_kernel(*symbols: KernelSymbol, **parts: object) -> KernelFacts:
    every: dict[str, tuple[KernelSymbol, ...]] = {
        "module_layout": (KernelSymbol(name="module_layout", crc=LAYOUT),),
        "_printk": (KernelSymbol(name="_printk", crc=PRINTK),),
    }
    for symbol in symbols:
        every[symbol.name] = (*every.get(symbol.name, ()), symbol)
    defaults: dict[str, object] = {
        "release": "6.1.0-56-amd64",
        "vermagic": VERMAGIC,
        "modversions": True,
        "retpoline": True,
        "symbols": MappingProxyType(every),
        "certificates": (CERTIFICATE,),
    }
    return KernelFacts(**(defaults | parts))  # type: ignore[arg-type]  # KernelFacts' own fields


def a_file(**parts: object) -> bytes:
    defaults: dict[str, object] = {
        "name": "tm",
        "modinfo": ("retpoline=Y",),
        "versions": {"module_layout": LAYOUT, "_printk": PRINTK},
        "imports": ("_printk",),
        "vermagic": VERMAGIC,
    }
    return a_module(**(defaults | parts))


def a_clean_file(**parts: object) -> bytes:
    """A module as the distribution has it: of the tree, with retpolines, signed."""
    return signed(a_file(**({"modinfo": ("retpoline=Y", "intree=Y")} | parts)), KEY, CERTIFICATE)


def examined(data: bytes, kernel: KernelFacts | None = None, flags: int = 0) -> Verdict:
    return examine(image_from_bytes(data, name="tm"), kernel or a_kernel(), flags=flags)


def facts_of(image: ModuleImage, kernel: KernelFacts, flags: int = 0) -> ModuleFacts:
    return module_facts(image.path, GivenFile.of(image, kernel, flags))


def log_of(verdict: Verdict) -> list[str]:
    return [f"{line.level} {line.text}" for line in verdict.log]
