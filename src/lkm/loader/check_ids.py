"""The ids of the checks: what a finding is named by, in text, in JSON and in documentation.

An id is for good. ``docs/loader.md`` tells of each what the kernel does, and where that is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RESTS_ON: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "already-loaded": ("loaded",),
        "arguments": (),
        "btf": ("btf", "options"),
        "builtin-name": ("sysfs_names",),
        "capability": ("capable",),
        "common-symbol": (),
        "constructors": ("options",),
        "crc": ("modversions", "symbols"),
        "decompression": ("options",),
        "duplicate-export": ("symbols",),
        "elf": ("is_64bit", "order", "release"),
        "export-crc": ("modversions", "options"),
        "flags": (),
        "gpl-only": ("symbols",),
        "inherit-taint": ("symbols",),
        "init": ("algorithms",),
        "jump-tables": ("machine",),
        "license": ("tainted",),
        "livepatch": ("options",),
        "machine": ("machine",),
        "memory": ("areas_taken", "options", "release"),
        "module-blacklist": ("blacklist",),
        "module-name": (),
        "modules-disabled": ("modules_disabled",),
        "namespace": ("symbols",),
        "no-module": ("release",),
        "no-module-support": ("options",),
        "no-symbols": (),
        "out-of-tree": ("tainted",),
        "owner-coming": ("symbols",),
        "parameter": ("locked_down", "options"),
        "percpu-memory": ("percpu_end", "percpu_taken"),
        "relocation": ("machine", "symbols"),
        "release": ("release",),
        "retpoline": ("machine", "retpoline"),
        "signature": ("certificates", "locked_down", "options", "signatures_enforced"),
        "staging": ("tainted",),
        "struct-size": ("struct_module_size",),
        "test-module": ("tainted",),
        "unknown-symbol": ("symbols",),
        "unsigned": ("options", "tainted"),
        "vermagic": ("modversions", "vermagic"),
        "writable-code": ("options",),
    }
)
"""The ids, each with the facts of the kernel that its check goes by: fields of ``KernelFacts``.

All go by the module's file as well; those without a fact go by nothing else.
"""

CHECK_IDS: frozenset[str] = frozenset(RESTS_ON)
