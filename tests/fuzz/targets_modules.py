"""What reads module files: facts, scans, modinfo, the loader's checks, the sandbox."""

from __future__ import annotations

import contextlib
import errno
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from lkm.errors import LkmError
from lkm.kernel.sandbox import Sandbox
from lkm.loader.checks import Verdict, examine
from lkm.loader.facts import KernelFacts, KernelSymbol
from lkm.loader.memory.layout import layout
from lkm.loader.options import KernelOptions
from lkm.loader.symbols.kallsyms import module_symbols
from lkm.module.facts import Module
from lkm.module.file import ModuleImage, image_from_bytes, read_image
from lkm.module.pkcs7 import parse_message
from lkm.module.quick_modinfo import QuickReader
from lkm.module.quick_scan import quick_facts
from lkm.module.scan import scan_file
from lkm.module.signature import read_signature
from lkm.names import module_name
from lkm.vmlinux.certificates import parse_certificate
from tests.cli.running import lkm
from tests.fuzz import corpus
from tests.fuzz.inputs import ContradictionError, Input, Run, Target
from tests.fuzz.mutate_elf import mutate_module
from tests.fuzz.mutate_trees import mutate_der, mutate_signature
from tests.fuzz.targets_loader import TYPES
from tests.loader.examining import a_kernel

_FACTS = (
    *("size_bytes", "modinfo", "license", "vermagic", "version", "srcversion", "aliases"),
    *("firmware", "softdeps", "weakdeps", "depends", "import_namespaces", "parameters"),
    *("exports", "imports", "versions", "build_id", "signature"),
)
_FLAGS = (0, 0, 0, 1, 2, 3)
_PARAMS = ("", "", "level=3", "level", 'level="-0x7fffffff" -- x', "x.dyndbg=+p debug=Y,N")


def _facts(folder: Path) -> Run:
    def run(given: Input) -> str:
        path = folder / given.name
        path.write_bytes(given.data)
        problems = 0
        with Module.open(str(path)) as module:
            for name in _FACTS:
                try:
                    getattr(module, name)
                except LkmError:
                    problems += 1
        return f"{problems} facts wrong" if problems else "fine"

    return run


def _scans(folder: Path) -> Run:
    def run(given: Input) -> str:
        path = folder / given.name
        path.write_bytes(given.data)
        quick = quick_facts(str(path))
        shown = QuickReader().facts(str(path))
        scan_file(str(path), with_crcs=True)
        scanned = scan_file(str(path))
        if quick is not None and quick[1] != scanned.facts:
            raise ContradictionError("the quick scan says something else")
        if shown is not None:
            with Module.open(str(path)) as module:
                if module.modinfo != shown.modinfo:
                    raise ContradictionError("the quick modinfo says something else")
        return "slow" if quick is None else "quick"

    return run


def _modinfo(folder: Path) -> Run:
    def run(given: Input) -> str:
        path = folder / given.name
        path.write_bytes(given.data)
        ran = lkm("modinfo", str(path))
        document = lkm("modinfo", "--json", str(path))
        if ran.status != document.status:
            raise ContradictionError(f"status {ran.status}, with --json {document.status}")
        return f"status {ran.status}"

    return run


def _kernels() -> tuple[KernelFacts, ...]:
    return (
        a_kernel(btf=TYPES),
        a_kernel(release="6.12.0-test", struct_module_size=1024, btf=TYPES),
        a_kernel(machine=183, release="6.12.1"),
        a_kernel(machine=22, order=">"),
        a_kernel(machine=20, order=">", is_64bit=False),
        a_kernel(machine=3, is_64bit=False, modversions=False),
    )


def _friendly(given: Input) -> KernelFacts:
    """Return a kernel that has all that the module asks for, so that every check is come to."""
    with contextlib.suppress(LkmError):
        module = Module(image_from_bytes(given.data))
        crcs = {version.name: version.crc for version in module.versions}
        symbols = {
            name: (KernelSymbol(name=name, crc=crcs.get(name)),)
            for name in dict.fromkeys((*crcs, *[each.name for each in module.imports]))
        }
        return a_kernel(
            vermagic=module.vermagic,
            symbols=MappingProxyType(symbols),
            machine=module.elf.machine,
            is_64bit=module.elf.is_64bit,
            order=module.elf.order,
            certificates=tuple(parse_certificate(each.data) for each in corpus.certificates(False)),
            release="6.12.1" if len(given.data) % 2 else "6.1.0",
            btf=TYPES,
        )
    return a_kernel()


def _unknown(friendly: KernelFacts) -> KernelFacts:
    """Return *friendly* with nothing known of it but that it has the symbols."""
    symbols = {name: (KernelSymbol(name=name),) for name in friendly.symbols}
    return KernelFacts(
        release="",
        machine=friendly.machine,
        is_64bit=friendly.is_64bit,
        order=friendly.order,
        symbols=MappingProxyType(symbols),
    )


def _handed_over(
    given: Input, kernels: Sequence[KernelFacts]
) -> tuple[ModuleImage, Sequence[KernelFacts]]:
    """Return the module as it is handed to kernels; a packed one to such as unpack it."""
    name = module_name(given.name)
    if given.name.endswith(".ko"):
        return image_from_bytes(given.data, name=name), kernels
    options = KernelOptions(
        module_decompress=True,
        module_compress_gzip=given.name.endswith(".gz"),
        module_compress_xz=given.name.endswith(".xz"),
        module_compress_zstd=given.name.endswith(".zst"),
    )
    packed = ModuleImage(name, given.data, f"/{given.name}", "")
    return packed, [replace(kernel, options=options) for kernel in kernels[:2]]


def _checks(_folder: Path) -> Run:
    plain = _kernels()

    def run(given: Input) -> str:
        image, kernels = _handed_over(given, plain)
        choice = zlib.crc32(given.data)
        few = len(given.data) < 1 << 17
        answers = []
        friendly = _friendly(given)
        guessed = examine(image, _unknown(friendly))
        if not guessed.errno and not guessed.doubts:
            raise ContradictionError("it loads into a kernel that nothing is known of, they say")
        for kernel in (friendly, *(kernels if few else kernels[:1])):
            verdict = examine(
                image,
                kernel,
                flags=_FLAGS[choice % len(_FLAGS)] | (4 if given.name[-3:] != ".ko" else 0),
                params=_PARAMS[choice // 8 % len(_PARAMS)],
            )
            _look_at(verdict, kernel)
            answers.append(errno.errorcode.get(verdict.errno, "loads"))
        return min(answers, key=lambda answer: (answer != "loads", answer))

    return run


def _look_at(verdict: Verdict, kernel: KernelFacts) -> None:
    for finding in verdict.findings:
        if not finding.check:
            raise ContradictionError(f"a finding without an id: {finding}")
    module = verdict.module
    if verdict.errno and verdict.refusal is None:
        raise ContradictionError(f"errno {verdict.errno} without a refusal")
    if module is not None and not verdict.errno:
        laid_out = layout(module, kernel.version, kernel.options)
        module_symbols(module, laid_out, {index: 4096 * index for index in laid_out.offsets})


def _sandbox(folder: Path) -> Run:
    booted, state = folder / "booted", folder / "state"
    with Sandbox.open(str(booted)) as sandbox:
        for name in ("fat", "cryptd"):
            path = next(corpus.teaching_tree().rglob(f"{name}.ko"), None)
            if path is not None:
                _insert(sandbox, path, "")

    def run(given: Input) -> str:
        path = folder / given.name
        path.write_bytes(given.data)
        shutil.copyfile(booted, state)
        choice = zlib.crc32(given.data)
        with Sandbox(str(state)) as sandbox:
            flags = (1 | 2) if choice % 3 else 0
            before = sandbox.read("/proc/modules")
            try:
                sandbox.insert(read_image(str(path)), _PARAMS[choice % len(_PARAMS)], flags=flags)
            except LkmError as error:
                if sandbox.read("/proc/modules") != before:
                    raise ContradictionError("refused, and there all the same") from error
                sandbox.log()
                return type(error).__name__
            (new,) = set(sandbox.modules()) - set(sandbox.modules()[1:])
            for file in ("/proc/modules", "/proc/kallsyms"):
                sandbox.read(file)
            sandbox.snapshot()
            sandbox.log()
            return _removed(sandbox, new.name)

    return run


def _insert(sandbox: Sandbox, path: Path, params: str) -> None:
    try:
        sandbox.insert(read_image(str(path)), params)
    except LkmError:
        return


def _removed(sandbox: Sandbox, name: str) -> str:
    try:
        sandbox.remove(module_name(name))
    except LkmError as error:
        return f"stays: {type(error).__name__}"
    return "loads and goes"


def _signature(_folder: Path) -> Run:
    def run(given: Input) -> str:
        return "none" if read_signature(given.data) is None else "one"

    return run


def _message(_folder: Path) -> Run:
    def run(given: Input) -> str:
        signed = parse_message(given.data)
        return f"{len(signed.signers)} signers"

    return run


def _certificate(_folder: Path) -> Run:
    def run(given: Input) -> str:
        parse_certificate(given.data)
        return "fine"

    return run


TARGETS = (
    Target(name="facts", seeds=corpus.modules, mutate=mutate_module, prepare=_facts, cost=2),
    Target(name="scan", seeds=corpus.modules, mutate=mutate_module, prepare=_scans, cost=2),
    Target(name="modinfo", seeds=corpus.modules, mutate=mutate_module, prepare=_modinfo, cost=5),
    Target(name="checks", seeds=corpus.modules, mutate=mutate_module, prepare=_checks, cost=4),
    Target(name="sandbox", seeds=corpus.modules, mutate=mutate_module, prepare=_sandbox, cost=12),
    Target(name="signature", seeds=corpus.signatures, mutate=mutate_signature, prepare=_signature),
    Target(name="message", seeds=corpus.messages, mutate=mutate_der, prepare=_message),
    Target(name="certificate", seeds=corpus.certificates, mutate=mutate_der, prepare=_certificate),
)
