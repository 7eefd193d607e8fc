"""The ids of the checks: what a finding is named by, in text, in JSON and in documentation.

An id is for good. ``docs/loader.md`` tells of each what the kernel does, and where that is held.
"""

from __future__ import annotations

CHECK_IDS: frozenset[str] = frozenset(
    {
        "already-loaded",
        "arguments",
        "btf",
        "builtin-name",
        "capability",
        "common-symbol",
        "constructors",
        "crc",
        "decompression",
        "duplicate-export",
        "elf",
        "export-crc",
        "flags",
        "gpl-only",
        "inherit-taint",
        "init",
        "jump-tables",
        "license",
        "livepatch",
        "machine",
        "memory",
        "module-blacklist",
        "module-name",
        "modules-disabled",
        "namespace",
        "no-module",
        "no-module-support",
        "no-symbols",
        "out-of-tree",
        "owner-coming",
        "parameter",
        "percpu-memory",
        "relocation",
        "release",
        "retpoline",
        "signature",
        "staging",
        "struct-size",
        "test-module",
        "unknown-symbol",
        "unsigned",
        "vermagic",
        "writable-code",
    }
)
