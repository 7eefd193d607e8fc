"""What reads kernel images and what is kept of them: containers, BTF, saved facts, archives."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from random import Random

from lkm.cpio import archive, character_device, file, folder, link, parse_archive
from lkm.errors import LkmError
from lkm.teaching import facts_file
from lkm.vmlinux.btf import Btf
from lkm.vmlinux.container import unpack
from lkm.vmlinux.facts import VmlinuxFacts, facts_of
from lkm.vmlinux.image import KernelImage
from lkm.vmlinux.lz4 import unpack_legacy
from lkm.vmlinux.saved import load, save
from tests.builders import kallsyms
from tests.builders.vmlinux import (
    BASE,
    COMPRESSIONS,
    a_btf,
    a_bzimage,
    a_certificate,
    a_certificate_list,
    a_pe,
    a_raw_image,
    a_zboot,
    an_elf_kernel,
    lz4_legacy,
    packed,
    with_size_word,
)
from tests.fuzz import corpus
from tests.fuzz.inputs import Input, Run, Target
from tests.fuzz.mutate import BYTES, apply, mutate_bytes
from tests.fuzz.mutate_elf import mutate_elf
from tests.kernel.images import saved_facts

_ASKED = ("exports", "kallsyms", "config", "certificates")


def _kernel(**parts: object) -> bytes:
    config = b"IKCFG_ST" + packed(b"CONFIG_MODULES=y\nCONFIG_MODVERSIONS=y\n", "gzip") + b"IKCFG_ED"
    sections = [
        (".rodata.config", config),
        (".BTF", a_btf()),
        (".init.certs", bytes(8) + a_certificate_list([a_certificate(), a_certificate("Two", 9)])),
    ]
    return an_elf_kernel(sections=sections, **parts)  # type: ignore[arg-type]  # its own keywords


@functools.cache
def _images(_real: bool) -> tuple[Input, ...]:
    found = [
        Input("kernel.elf", _kernel()),
        Input("absolute.elf", _kernel(layout="absolute", crcs="word", namespaces=False)),
        Input("big.elf", _kernel(bits=32, order=">", machine=20)),
        Input("old.elf", _kernel(crcs="relative")),
        Input("flags.elf", _kernel(flagstab=True)),
        Input("raw", a_raw_image(_kernel()[:3000])),
    ]
    listed = kallsyms.symbols(300, BASE)
    found += [
        Input(f"kallsyms-{layout}.elf", kallsyms.a_kernel(listed, layout))
        for layout in ("absolute", "4.19", "6.4", "7.1")
    ]
    return tuple(found)


@functools.cache
def _wrapped(real: bool) -> tuple[Input, ...]:
    kernel = _kernel()
    found = [
        Input(f"bzimage.{kind}", a_bzimage(with_size_word(kernel, kind))) for kind in COMPRESSIONS
    ]
    found += [
        Input(f"zboot.{kind}", a_zboot(with_size_word(kernel, kind), kind))
        for kind in ("gzip", "zstd")
    ]
    found += [
        Input("uki", a_pe([(b".linux", found[0].data), (b".cmdline", b"quiet")])),
        Input("image.gz", packed(a_raw_image(kernel), "gzip")),
        Input("vmlinux.zst", packed(kernel, "zstd")),
    ]
    if real:
        found += corpus.real_file("linux-image-6.1*-cloud-amd64/boot/vmlinuz-*")
    return tuple(found)


def _container(_folder: Path) -> Run:
    def run(given: Input) -> str:
        payload = unpack(given.data)
        return f"{payload.kind} in {len(payload.wrappers)}"

    return run


def _image(_folder: Path) -> Run:
    def run(given: Input) -> str:
        facts = facts_of(KernelImage.from_bytes(given.data))
        problems = _asked_all(facts)
        load(save(facts))
        return f"{problems} facts wrong" if problems else "fine"

    return run


def _asked_all(facts: VmlinuxFacts) -> int:
    problems = 0
    for name in _ASKED:
        try:
            getattr(facts, name)
        except LkmError:
            problems += 1
    return problems


def _saved(_folder: Path) -> Run:
    def run(given: Input) -> str:
        facts = load(given.data)
        problems = _asked_all(facts)
        if not problems:
            load(save(facts))
        return f"{problems} facts wrong" if problems else "fine"

    return run


def _saved_files(_real: bool) -> Sequence[Input]:
    return (Input("facts", Path(facts_file()).read_bytes()), Input("built", saved_facts()))


def _mutate_saved(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    if rng.random() < 0.2:
        return mutate_bytes(rng, start, others)
    return _with_crc(_repacked(rng, start.data) if rng.random() < 0.8 else _body(rng, start.data))


def _with_crc(data: bytes) -> bytes:
    return data[:12] + zlib.crc32(data[16:]).to_bytes(4, "little") + data[16:]


def _body(rng: Random, data: bytes) -> bytes:
    return data[:16] + apply(rng, data[16:], (), BYTES)


def _repacked(rng: Random, data: bytes) -> bytes:
    """Change what one part holds, and have its sizes be right all the same."""
    (count,) = struct.unpack_from("<H", data, 10)
    heads = [list(struct.unpack_from("<BBHII", data, 16 + 12 * index)) for index in range(count)]
    at, parts = 16 + 12 * count, []
    for head in heads:
        parts.append(data[at : at + head[3]])
        at += head[3]
    chosen = rng.randrange(count)
    changed = apply(rng, zlib.decompress(parts[chosen]), (), BYTES)
    parts[chosen] = zlib.compress(changed, 1)
    heads[chosen][3:] = [len(parts[chosen]), len(changed)]
    return data[:16] + b"".join(struct.pack("<BBHII", *head) for head in heads) + b"".join(parts)


def _btf(_folder: Path) -> Run:
    def run(given: Input) -> str:
        types = Btf.from_bytes(given.data)
        types.struct_sizes("module")
        return "known" if types.struct_size("module") else "fine"

    return run


def _btfs(_real: bool) -> Sequence[Input]:
    many = [(f"struct_{number}", number) for number in range(300)]
    big = a_btf(order=">")
    return (Input("btf", a_btf()), Input("big", big), Input("many", a_btf([*many, ("module", 8)])))


def _lz4(_folder: Path) -> Run:
    def run(given: Input) -> str:
        data, _end = unpack_legacy(given.data, 64 << 20)
        return "some" if data else "none"

    return run


def _lz4_files(_real: bool) -> Sequence[Input]:
    return (
        Input("text.lz4", lz4_legacy(b"the same again " * 300)),
        Input("kernel.lz4", lz4_legacy(_kernel(), 1000)),
    )


def _cpio(_folder: Path) -> Run:
    def run(given: Input) -> str:
        return "entries" if parse_archive(given.data) else "none"

    return run


def _archives(_real: bool) -> Sequence[Input]:
    entries = [
        *(folder("dev"), character_device("dev/console", 5, 1), link("bin", "usr/bin")),
        *(file("init", b"#!/bin/sh\n" * 40, 0o755), file("empty", b"")),
    ]
    return (Input("one.cpio", archive(entries)), Input("two.cpio", archive(entries) * 2 + bytes(9)))


def _mutate_image(rng: Random, start: Input, others: Sequence[Input]) -> bytes:
    return (mutate_elf if start.name.endswith(".elf") else mutate_bytes)(rng, start, others)


TARGETS = (
    Target(name="container", seeds=_wrapped, mutate=mutate_bytes, prepare=_container, cost=4),
    Target(name="image", seeds=_images, mutate=_mutate_image, prepare=_image, cost=12),
    Target(name="saved-facts", seeds=_saved_files, mutate=_mutate_saved, prepare=_saved, cost=2),
    Target(name="btf", seeds=_btfs, mutate=mutate_bytes, prepare=_btf),
    Target(name="lz4", seeds=_lz4_files, mutate=mutate_bytes, prepare=_lz4),
    Target(name="cpio", seeds=_archives, mutate=mutate_bytes, prepare=_cpio),
)
