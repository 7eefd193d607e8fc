"""Good files to start from: of the teaching kernel, of the tests' builders, and Debian's if here.

Debian's are taken from the cache folder that other tests fill; nothing is downloaded.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from random import Random

from lkm.teaching import RELEASE, teaching_root
from tests.builders.elf import EM_AARCH64, EM_PPC, EM_S390, AnExport, ASection, a_module
from tests.builders.vmlinux import a_btf, a_certificate, der
from tests.debian import CACHE
from tests.fuzz.inputs import Input
from tests.kernel.trees import SIGNATURE
from tests.loader.examining import LAYOUT, PRINTK, VERMAGIC

_REAL_MODULES = 40
_LARGEST_REAL = 6 << 20
_KEYS = {"module_layout": LAYOUT, "_printk": PRINTK}
_OBJECTS = {
    "sha256": "608648016503040201",
    "rsa": "2a864886f70d010101",
    "signed": "2a864886f70d010702",
    "data": "2a864886f70d010701",
}
MAGIC = b"~Module signature appended~\n"


def teaching_tree() -> Path:
    """Return the modules directory of the teaching kernel."""
    return Path(teaching_root()) / "lib/modules" / RELEASE


def teaching_files(*names: str) -> list[Input]:
    """Return those files of the teaching kernel's root, by their path there."""
    return [
        Input(Path(name).name, (Path(teaching_root()) / name.format(RELEASE)).read_bytes())
        for name in names
    ]


def built_modules() -> list[Input]:
    """Return modules of the four kinds of processors that the kernels of the targets are of."""
    parts = {
        "modinfo": ("retpoline=Y", "intree=Y", "parm=level:How much", "parmtype=level:int"),
        "imports": ("_printk",),
        "versions": _KEYS,
        "vermagic": VERMAGIC,
        "exports": (AnExport(name="offered", crc=7), AnExport(name="ours", crc=8, namespace="N")),
        "extra": (
            ASection("__param", bytes(40), align=8),
            ASection(".note.gnu.build-id", b"\4\0\0\0\x14\0\0\0\3\0\0\0GNU\0" + bytes(20), 7),
            ASection(".data..percpu", bytes(64), flags=3, align=64),
            ASection(".BTF", a_btf(), flags=0),
            ASection(".bss", flags=3, type=8, size=4096),
        ),
    }
    return [
        Input("tm.ko", a_module(name="tm", **parts) + SIGNATURE),
        Input("arm.ko", a_module(name="arm", machine=EM_AARCH64, **parts)),
        Input("ppc.ko", a_module(name="ppc", bits=32, order=">", machine=EM_PPC, **parts)),
        Input("s390.ko", a_module(name="s390", order=">", machine=EM_S390, **parts)),
        Input("i386.ko", a_module(name="i386", bits=32, machine=3, **parts)),
    ]


@functools.cache
def modules(real: bool) -> tuple[Input, ...]:
    """Return module files, a few of them to be wrapped."""
    found = [Input(path.name, path.read_bytes()) for path in sorted(teaching_tree().rglob("*.ko"))]
    found += built_modules()
    if real:
        found += [Input(path.name, path.read_bytes()) for path in _real_modules()]
    small = [each for each in found if len(each.data) < 1 << 16]
    wrapped = [
        Input(small[index % len(small)].name + suffix, small[index % len(small)].data)
        for index, suffix in enumerate((".gz", ".xz", ".zst", ".xz", ".zst", ".gz"))
    ]
    return (*found, *wrapped)


def plain_modules(real: bool) -> tuple[Input, ...]:
    """Return module files that are not to be wrapped."""
    return tuple(each for each in modules(real) if each.name.endswith(".ko"))


def _real_modules() -> Iterable[Path]:
    every = sorted(
        path
        for kernel in ("*-amd64", "*-arm64", "*-s390x")
        for path in CACHE.glob(f"linux-image-{kernel}/lib/modules/*/kernel/**/*.ko")
        if path.stat().st_size < _LARGEST_REAL
    )
    picked = Random(1).sample(every, min(_REAL_MODULES, len(every)))
    largest = sorted(every, key=lambda path: -path.stat().st_size)[:2]
    return [*picked, *largest]


def real_file(pattern: str) -> list[Input]:
    """Return the first file of the cache of Debian's kernels that matches, or none."""
    paths = sorted(CACHE.glob(pattern))[:1]
    return [Input(paths[0].name, paths[0].read_bytes())] if paths else []


@functools.cache
def signatures(real: bool) -> tuple[Input, ...]:
    """Return what is appended to modules."""
    found = [Input("old.sig", SIGNATURE), Input("built.sig", appended(a_message()))]
    for module in plain_modules(real):
        if module.data.endswith(MAGIC):
            size = int.from_bytes(module.data[-32:-28], "big") + 40
            found.append(Input(f"{module.name}.sig", module.data[-size:]))
    return tuple(found)


def appended(message: bytes) -> bytes:
    """Return *message* with the record and the magic behind it."""
    return message + bytes((0, 0, 2, 0, 0, 0, 0, 0)) + len(message).to_bytes(4, "big") + MAGIC


def _object(name: str) -> bytes:
    return der(0x06, bytes.fromhex(_OBJECTS[name]))


def a_message() -> bytes:
    """Lay out a PKCS#7 message as the kernel's sign-file makes it; its signature is nonsense."""
    name = der(0x30, der(0x31, der(0x30, der(6, b"\x55\x04\x03"), der(0x0C, b"Test key"))))
    digest = der(0x30, _object("sha256"), der(5))
    signer = der(
        0x30,
        *(der(2, b"\1"), der(0x30, name, der(2, b"\x66\xf5")), digest),
        *(der(0x30, _object("rsa"), der(5)), der(4, bytes(range(256)))),
    )
    signed = der(
        0x30, der(2, b"\1"), der(0x31, digest), der(0x30, _object("data")), der(0x31, signer)
    )
    return der(0x30, _object("signed"), der(0xA0, signed))


def messages(real: bool) -> tuple[Input, ...]:
    """Return PKCS#7 messages."""
    return tuple(Input(each.name, each.data[:-40]) for each in signatures(real)[1:])


def certificates(_real: bool) -> tuple[Input, ...]:
    """Return certificates."""
    return (
        Input("test.cer", a_certificate()),
        Input("old.cer", a_certificate("Old", 1, version=1)),
        Input("long.cer", a_certificate("N" * 300, 1 << 159)),
    )
