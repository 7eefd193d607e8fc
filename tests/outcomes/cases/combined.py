"""Two faults in one module: which of them the kernel meets first, and what it says of both."""

from __future__ import annotations

from tests.outcomes.case import MODS, TAINT, Case, File, Step, debian, load, single, tiny
from tests.outcomes.patching import (
    crc,
    cut_signature,
    header,
    modinfo,
    no_crc,
    renamed,
    section,
    symbol,
    text_flipped,
    vermagic,
)


def _bad(magic: str) -> str:
    return "bad " + magic


def _other(old: int) -> int:
    return old ^ 1


def both(id: str, what: str, file: File, *, params: str = "", flags: int = 0) -> Case:  # noqa: A002
    """Return the case of one module with two faults."""
    return single(f"both-{id}", what, file, params=params, flags=flags)


def onto(id: str, what: str, file: File, params: str = "") -> Case:  # noqa: A002  # it is one
    """Return the case of a module with a fault whose name is taken."""
    steps: tuple[Step, ...] = (load("o"), load("m", params), MODS, TAINT)
    return Case(
        id=f"both-taken-{id}", what=what, files={"o": tiny("tm_ok"), "m": file}, steps=steps
    )


CASES = (
    both(
        "layout-vermagic",
        "CRC of module_layout, vermagic",
        tiny("tm_ok", crc("module_layout", _other), vermagic(_bad)),
    ),
    both("vermagic-unknown", "vermagic, unknown symbols", tiny("tm_missing", vermagic(_bad))),
    both(
        "vermagic-params",
        "vermagic, a bad parameter",
        tiny("tm_params", vermagic(_bad)),
        params="i=x",
    ),
    both(
        "unknown-crc",
        "an unknown symbol, a CRC that differs",
        tiny("tm_missing", crc("__x86_return_thunk", _other)),
    ),
    both(
        "unknown-crc-none",
        "unknown symbols, a CRC that is missing",
        tiny("tm_missing", no_crc("__x86_return_thunk")),
    ),
    both(
        "unknown-common",
        "unknown symbols, a symbol of no section",
        tiny("tm_missing", symbol("cleanup_module", "shndx", 200)),
    ),
    both(
        "unknown-index-last",
        "the last failure's errno is the answer",
        tiny("tm_dep2", symbol("init_module", "shndx", 900)),
    ),
    both(
        "wx-unknown",
        "writable code, unknown symbols",
        tiny("tm_missing", section(".comment", "flags", 5)),
    ),
    both("wx-vermagic", "writable code, vermagic", tiny("tm_wx", vermagic(_bad))),
    both(
        "wx-license",
        "writable code, proprietary, of the staging directory",
        tiny("tm_wx", modinfo("license", "X"), modinfo("staging", "Y")),
    ),
    both("common-params", "a common symbol, a bad parameter", tiny("tm_common"), params="nosuch=1"),
    both(
        "builtin-params",
        "a built-in's name, an unknown parameter",
        tiny("printk"),
        params="nosuch=1",
    ),
    both("builtin-vermagic", "a built-in's name, vermagic", tiny("printk", vermagic(_bad))),
    both(
        "builtin-unknown",
        "an unsafe parameter that is good, then a bad one",
        tiny("tm_params"),
        params="danger=1 i=x",
    ),
    both(
        "elf-machine-type",
        "a wrong type, a wrong machine",
        tiny("tm_ok", header("type", 3), header("machine", 3)),
    ),
    both(
        "elf-symtab-modinfo",
        "no symbols, no modinfo",
        tiny("tm_ok", section(".symtab", "type", 1), renamed(".modinfo", ".modinfx")),
    ),
    both(
        "modinfo-module",
        "no modinfo, no struct module",
        tiny("tm_ok", renamed(".modinfo", ".modinfx"), renamed(".gnu.linkonce.this_module", ".x")),
    ),
    both(
        "versions-vermagic",
        "no CRCs, no vermagic",
        tiny("tm_ok", renamed("__versions", "__versionx"), modinfo("vermagic", None)),
    ),
    both("forced-unknown", "forced, and unknown symbols", tiny("tm_missing"), flags=3),
    both("forced-license", "forced, proprietary", tiny("tm_prop"), flags=3),
    both(
        "sections-license",
        "proprietary, of the staging directory, a test, a live patch",
        tiny(
            "tm_ok",
            modinfo("license", "X"),
            modinfo("staging", "Y"),
            modinfo("test", "Y"),
            modinfo("livepatch", "Y"),
            modinfo("retpoline", None),
        ),
    ),
    both(
        "unsigned-license",
        "the distribution's module, unsigned, with a licence that is not free",
        debian("crc8", cut_signature, modinfo("license", "X")),
    ),
    both(
        "unsigned-crc",
        "the distribution's module, unsigned, with a CRC that differs",
        debian("crc8", cut_signature, crc("module_layout", _other)),
    ),
    both(
        "signature-elf",
        "code changed under the signature, and the ELF type",
        debian("crc8", text_flipped, header("type", 2)),
    ),
    both(
        "namespace-license",
        "proprietary, a CRC that differs, parameters",
        tiny("tm_params", modinfo("license", "X"), crc("param_ops_int", _other)),
        params="i=x",
    ),
    onto("vermagic", "the name is taken, the vermagic differs", tiny("tm_ok", vermagic(_bad))),
    onto(
        "crc",
        "the name is taken, the layout's CRC differs",
        tiny("tm_ok", crc("module_layout", _other)),
    ),
    onto(
        "license",
        "the name is taken by a free one, this one is not",
        tiny("tm_ok", modinfo("license", "X"), modinfo("staging", "Y")),
    ),
    onto("wx", "the name is taken, writable code", tiny("tm_ok", section(".comment", "flags", 5))),
    onto("forced", "the name is taken, no vermagic", tiny("tm_ok", modinfo("vermagic", None))),
)
