"""Small trees of modules for sandboxes to boot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lkm.kernel.sandbox import Sandbox
from lkm.module.file import ModuleImage, image_from_bytes, read_image
from tests.builders.elf import AnExport, a_module
from tests.builders.pkcs7 import (
    A_NAME_AND_SERIAL,
    ASigner,
    a_certificate,
    a_key,
    a_message,
    appended,
    signed,
)

RELEASE = "6.1.0-test"
VERMAGIC = f"{RELEASE} SMP preempt mod_unload modversions "
IN_TREE = ("intree=Y", "retpoline=Y")
LAYOUT_CRC, PRINTK_CRC, PLAIN_CRC, GPL_CRC, NS_CRC = 0x11111111, 0x22222222, 0x33333333, 0x4444, 5

# Of no module, and by nobody known: a kernel whose certificates are not known believes it.
SIGNATURE = appended(b"", a_message(ASigner(identity=A_NAME_AND_SERIAL)))
KEY = a_key("rsa1024")
CERTIFICATE = a_certificate(KEY, "Distribution")

# A module that exports, one that needs it, one that needs both, and one on its own; all signed and
# of the tree, so that nothing is tainted until a test wants it.
PLAIN, GPL = AnExport(name="plain", crc=PLAIN_CRC), AnExport(name="gpl", crc=GPL_CRC, gpl_only=True)
NAMESPACED = AnExport(name="spaced", crc=NS_CRC, namespace="NS")
TWICE = AnExport(name="twice", crc=0x66)


def a_signed(name: str, **parts: object) -> bytes:
    """Build a module as a distribution has it: of the tree, with CRCs and a signature."""
    versions = {"module_layout": LAYOUT_CRC, "_printk": PRINTK_CRC}
    versions.update({"plain": PLAIN_CRC, "gpl": GPL_CRC, "spaced": NS_CRC, "twice": 0x66})
    defaults: dict[str, object] = {
        "name": name,
        "modinfo": IN_TREE,
        "versions": versions,
        "imports": ("_printk",),
        "vermagic": VERMAGIC,
    }
    return signed(a_module(**(defaults | parts)), KEY, CERTIFICATE)


def a_chain() -> dict[str, bytes]:
    return {
        "base": a_signed("base", exports=(PLAIN, GPL, NAMESPACED)),
        "middle": a_signed("middle", imports=("_printk", "plain"), exports=(TWICE,)),
        "top": a_signed("top", imports=("_printk", "gpl", "twice")),
        "alone": a_signed("alone"),
    }


def a_root(folder: Path, modules: Mapping[str, bytes] | None = None) -> Path:
    """Write a root folder with the tree of RELEASE; return the root."""
    kernel = folder / "lib/modules" / RELEASE / "kernel"
    kernel.mkdir(parents=True)
    for name, data in (a_chain() if modules is None else modules).items():
        (kernel / f"{name}.ko").write_bytes(data)
    return folder


def module_file(root: Path, name: str) -> ModuleImage:
    return read_image(str(root / "lib/modules" / RELEASE / "kernel" / f"{name}.ko"))


def an_image(data: bytes, name: str = "tiny") -> ModuleImage:
    return image_from_bytes(data, name=name)


def a_sandbox(
    folder: Path, *, modules: Mapping[str, bytes] | None = None, command_line: str = ""
) -> tuple[Sandbox, Path]:
    """Boot a sandbox on a small tree; return it with the tree's root."""
    root = a_root(folder / "root", modules)
    sandbox = Sandbox(str(folder / "sandbox.sqlite"))
    sandbox.boot(RELEASE, str(root), command_line=command_line)
    return sandbox, root
