"""Get a kernel's symbol table, wherever that kernel is, and say why addresses are missing."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lkm._text import decode
from lkm.errors import FileError, FormatError, KernelError, LkmError, UsageError
from lkm.kallsyms.restriction import explain
from lkm.kallsyms.table import SymbolTable
from lkm.kernel.image_facts import find_image, first_bytes, read_kernel_facts
from lkm.kernel.live import LiveKernel
from lkm.kernel.sandbox import Sandbox
from lkm.vmlinux.answers import Answer, CouldNotTell, NotThere
from lkm.vmlinux.kallsyms import KernelSymbols
from lkm.vmlinux.system_map import (
    START_SIZE,
    is_system_map,
    read_system_map,
    release_of_system_map,
)


class NoSymbolsError(LkmError):
    """A kernel whose symbol table cannot be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInUse:
    """A symbol table, the file it was read from, and, where its addresses are hidden, why."""

    table: SymbolTable
    source: str
    why_hidden: str = ""


def live_table(root: str = "/") -> TableInUse:
    """Return the running kernel's table, as its ``/proc`` below *root* shows it to us.

    Raises ``NoSymbolsError`` where it has none, ``FileError`` and ``FormatError``.
    """
    base = root.rstrip("/")
    path = f"{base}/proc/kallsyms"
    try:
        data = _read(path)
    except FileError as error:
        problem = NoSymbolsError(f"{error}: this kernel shows no symbol table (CONFIG_KALLSYMS)")
        problem.remedy = "ask an image (--vmlinux FILE) or the sandbox (--on sandbox)"
        raise problem from None
    table = _parsed(data, path, LiveKernel(root).release())
    why = _why_hidden(base) if table.hidden else ""
    return TableInUse(table=table, source=path, why_hidden=why)


def sandbox_table() -> TableInUse:
    """Return the sandbox kernel's table. Raises ``NoSymbolsError`` where it shows none."""
    sandbox = Sandbox()
    release = sandbox.release()
    try:
        data = sandbox.read("/proc/kallsyms")
    except (FileError, KernelError) as error:
        raise NoSymbolsError(f"the sandbox kernel shows no symbol table: {error}") from None
    table = SymbolTable.from_text(data, release=release)
    why = "kernel.kptr_restrict is 2 there, so nobody is shown an address" if table.hidden else ""
    return TableInUse(table=table, source=f"the sandbox, {release}", why_hidden=why)


def image_table(path: str) -> TableInUse:
    """Return the kernel's own symbols from the image at *path*, modules' not among them.

    Facts that were saved of it and its System.map are as good. Raises ``NoSymbolsError`` where it
    has none or the layout is not known, and what reading the image raises.
    """
    symbols: Answer[KernelSymbols]
    if is_system_map(first_bytes(path, START_SIZE)):
        symbols, release = read_system_map(path), release_of_system_map(path)
    else:
        facts = read_kernel_facts(path)
        symbols, release = facts.kallsyms, facts.release or ""
    if isinstance(symbols, NotThere):
        raise NoSymbolsError(f"{path} has no symbol table: {symbols.why}")
    if isinstance(symbols, CouldNotTell):
        raise NoSymbolsError(f"{path}: {symbols}")
    table = _parsed(symbols.as_text(), path, release)
    return TableInUse(table=table, source=path)


def installed_table(root: str, release: str, directory: str) -> TableInUse:
    """Return the own symbols of the kernel *release* that is installed under *root*.

    They are read from its image, without one from facts saved of it, else from its System.map.
    *directory* is its tree, empty where it has none. Raises ``UsageError`` where there is none of
    these, and what ``image_table`` raises.
    """
    boot = f"{'' if root == '/' else root}/boot"
    path = find_image(root, release, directory)
    if not path and os.path.isfile(f"{boot}/System.map-{release}"):
        path = f"{boot}/System.map-{release}"
    if not path:
        problem = UsageError(
            f"{release} has no image under {root}, no facts saved of it and no System.map"
        )
        problem.remedy = "name one of these with --vmlinux FILE"
        raise problem
    return image_table(path)


def _parsed(data: bytes, path: str, release: str) -> SymbolTable:
    try:
        return SymbolTable.from_text(data, release=release)
    except FormatError as error:
        raise error.at(path) from None


def _why_hidden(base: str) -> str:
    def text(path: str) -> str | None:
        try:
            return decode(_read(f"{base}{path}"))
        except FileError:
            return None

    why = explain(
        kptr_restrict=text("/proc/sys/kernel/kptr_restrict"),
        perf_event_paranoid=text("/proc/sys/kernel/perf_event_paranoid"),
        status=text("/proc/self/status"),
        uid_map=text("/proc/self/uid_map"),
    )
    return f"{why.sentence} ({why.remedy})" if why.remedy else why.sentence


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
