"""Saved facts of a kernel that fits the small trees of ``tests.kernel.trees``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lkm.elf.constants import EM_X86_64
from lkm.kernel.sandbox import Sandbox
from lkm.loader.options import OPTION_NAMES
from lkm.vmlinux.answers import CouldNotTell
from lkm.vmlinux.exports import KernelExport
from lkm.vmlinux.facts import VmlinuxFacts
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.saved import save
from tests.kernel.trees import CERTIFICATE, LAYOUT_CRC, PRINTK_CRC, RELEASE, VERMAGIC, a_root

BANNER = f"Linux version {RELEASE} (lkm@test) #1 SMP"
SYMBOLS = KernelSymbols(
    addresses=(0, 0x4000, 0xFFFF_FFFF_8100_0000, 0xFFFF_FFFF_8100_0010, 0xFFFF_FFFF_8200_0000),
    types="AATTd",
    names=("__per_cpu_start", "__per_cpu_end", "_text", "_printk", "init_task"),
)
EXPORTS = (
    KernelExport("_printk", PRINTK_CRC),
    KernelExport("module_layout", LAYOUT_CRC),
    KernelExport("kernel_gpl", 0x77, gpl_only=True),
    KernelExport("kernel_spaced", 0x88, namespace="KNS"),
)


def a_config(**changed: str) -> Mapping[str, str]:
    """Return a configuration as Debian's, but for *changed* (``MODULE_UNLOAD="n"``)."""
    values = dict.fromkeys(OPTION_NAMES, "y") | {
        "MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS": "n",
        "MODULE_SIG_FORCE": "n",
        "LOCK_DOWN_KERNEL_FORCE_INTEGRITY": "n",
        "LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY": "n",
        "UML": "n",
        "BROKEN_ON_SMP": "n",
        "MODVERSIONS": "y",
        "RETPOLINE": "y",
    }
    return {f"CONFIG_{name}": value for name, value in (values | changed).items()}


def saved_facts(**parts: object) -> bytes:
    """Return saved facts of RELEASE; *parts* are VmlinuxFacts' own."""
    given: dict[str, object] = {
        "release": RELEASE,
        "banner": BANNER,
        "machine": EM_X86_64,
        "is_64bit": True,
        "order": "<",
        "vermagic": VERMAGIC,
        "struct_module_size": 896,
        "type_count": CouldNotTell("it is a test's"),
        "exports": EXPORTS,
        "kallsyms": SYMBOLS,
        "config": a_config(),
        "certificates": (CERTIFICATE,),
        "btf": CouldNotTell("it is a test's"),
    }
    return save(VmlinuxFacts(**(given | parts)))  # type: ignore[arg-type]  # the keywords are its own


def a_known_sandbox(
    folder: Path, *, modules: Mapping[str, bytes] | None = None, **parts: object
) -> tuple[Sandbox, Path]:
    """Boot a sandbox on a small tree whose kernel is known; return it with the tree's root."""
    root = a_root(folder / "root", modules)
    (root / "boot").mkdir()
    (root / f"boot/facts-{RELEASE}").write_bytes(saved_facts(**parts))
    sandbox = Sandbox(str(folder / "sandbox.sqlite"))
    sandbox.boot(RELEASE, str(root))
    return sandbox, root
