"""What differs between the releases of Linux: when it changed, and where that can be read.

A rule that is not named here is the same in all of them, as far as kernels were looked at: 6.1.192
and 6.12.117 were held against real ones, for others their sources tell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, ...]
"""The numbers that a release begins with, two or three; the third a distribution may hide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of the module loader: its first release, what is new, and the *source* of that.

    *backported* maps a stable series to its first release with the change.
    """

    since: Version
    what: str
    source: str
    backported: tuple[Version, ...] = ()

    def in_release(self, version: Version) -> bool:
        """Tell whether a kernel of that *version* has the change."""
        for start in self.backported:
            if version[:2] == start[:2]:
                return version >= start
        return version >= self.since


FTRACE_WITH_ARGS = Change(
    since=(6, 2),
    what="an arm64 module has one trampoline for ftrace instead of two",
    source="arch/arm64/include/asm/ftrace.h, NR_FTRACE_PLTS; commit 26299b3f6ba2",
)
ZEROS_ASKED_LAST = Change(
    since=(6, 3),
    what="of an x86-64 relocation the range is looked at before what it would change",
    source="arch/x86/kernel/module.c, __write_relocate_add; commit 0c05e7bd2d01",
)
LONG_LINES = Change(
    since=(6, 3),
    what="a line of the log has up to 1021 bytes, not 989",
    source="kernel/printk/internal.h, PRINTKRB_RECORD_MAX; before kernel/printk/printk.c",
)
QUIET_BTF = Change(
    since=(6, 3),
    what=(
        "where types (BTF) that do not fit are allowed, it is told once, and neither which module "
        "it is nor what is wrong with it"
    ),
    source="kernel/bpf/btf.c, btf_module_notify; commit 9cb61e50bf6b; seen in 6.12.117",
)
SEPARATE_AREAS = Change(
    since=(6, 4),
    what="text, data, read-only data and what turns read-only each have an area of their own",
    source="kernel/module/main.c, move_module; commit ac3b43283923",
)
EARLY_CHECKS = Change(
    since=(6, 4),
    what=(
        "vermagic and name are looked at before memory is laid out, and a module taints only once "
        "its name is taken; a licence that is not free is told a second time"
    ),
    source="kernel/module/main.c, early_mod_check and module_augment_kernel_taints",
)
STRUCT_CHECKED = Change(
    since=(6, 4),
    what="there is one struct module, and it has the kernel's size",
    source="kernel/module/main.c, elf_validity_check; commit 419e1a20f714",
)
STEPWISE_ELF = Change(
    since=(6, 13),
    what="the parts of the ELF file are looked at one after the other, their types too",
    source="kernel/module/main.c, elf_validity_cache_copy; seen in 6.12.117, not yet in 6.12.107",
    backported=((6, 12, 117),),
)

PLTS_ALWAYS = Change(
    since=(6, 5),
    what="an arm64 module always has tables of jumps; the log names what it is about",
    source="arch/arm64/kernel/module.c; commits ea3752ba96f5 and 3e35d303ab7d",
)
SHA3_SIGNATURES = Change(
    since=(6, 7),
    what="signatures may use SHA-3, but MD4 and MD5 no more",
    source="crypto/asymmetric_keys/pkcs7_parser.c, x509_cert_parser.c; seen in 6.12.117",
)
FREE_SECTION_NAMES = Change(
    since=(6, 9),
    what="in types (BTF) a section may have every name that can be printed",
    source="kernel/bpf/btf.c, btf_name_valid_section; commit bd70a8fb7ca4; seen in 6.12.117",
)
NARROW_RSA = Change(
    since=(6, 6),
    what="RSA refuses numbers that raising to a power does not change",
    source="crypto/rsa.c, rsa_check_payload; seen in 6.12.117",
)
P521_KEYS = Change(
    since=(6, 10),
    what="the curve P-521 is known",
    source="crypto/ecdsa.c, crypto/asymmetric_keys/x509_cert_parser.c; seen in 6.12.117",
)
EXECMEM = Change(
    since=(6, 10),
    what="modules get their memory from an allocator for code, which tells when it has none",
    source="mm/execmem.c, __execmem_alloc; commit 12af2b83d0b1; seen in 6.12.117",
)
DISTILLED_BTF = Change(
    since=(6, 11),
    what="a module may bring the kernel's types that it uses, to be found in another kernel's",
    source="kernel/bpf/btf.c, btf_parse_module; seen in 6.12.117",
)
NO_SM2_SIGNATURES = Change(
    since=(6, 11),
    what="signatures by SM2 are not known any more",
    source="crypto/asymmetric_keys/pkcs7_parser.c, x509_cert_parser.c; seen in 6.12.117",
)
CERTIFICATE_USAGE = Change(
    since=(6, 4),
    what="a certificate's basic constraints and key usage are looked at, and may be malformed",
    source="crypto/asymmetric_keys/x509_cert_parser.c, x509_process_extension; seen in 6.12.117",
)
MORE_IDENTIFIERS = Change(
    since=(6, 12),
    what="an object identifier of Microsoft's more is known, which moves the numbers of others",
    source="include/linux/oid_registry.h; seen in 6.12.117",
)

NAMESPACE_STRINGS = Change(
    since=(6, 13),
    what="the sources of a module name a namespace as a string",
    source="include/linux/export.h and module.h; commit cdd30ebb1b9f",
)
EXTENDED_VERSIONS = Change(
    since=(6, 14),
    what="CRCs may stand in two sections of their own, for names that are too long for a record",
    source="kernel/module/version.c, check_version; commit 54ac1ac8edeb",
)

KNOWN_FROM: Version = (6, 1)
"""The oldest series whose rules were read, and which was asked itself."""

KNOWN_TO: Version = (6, 12)
"""The newest one."""

_NUMBERS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){1,2}")

CHANGES: tuple[Change, ...] = (
    FTRACE_WITH_ARGS,
    ZEROS_ASKED_LAST,
    QUIET_BTF,
    LONG_LINES,
    SEPARATE_AREAS,
    EARLY_CHECKS,
    STRUCT_CHECKED,
    CERTIFICATE_USAGE,
    PLTS_ALWAYS,
    NARROW_RSA,
    SHA3_SIGNATURES,
    FREE_SECTION_NAMES,
    P521_KEYS,
    EXECMEM,
    DISTILLED_BTF,
    NO_SM2_SIGNATURES,
    MORE_IDENTIFIERS,
    STEPWISE_ELF,
    NAMESPACE_STRINGS,
    EXTENDED_VERSIONS,
)
"""All of them, oldest first."""


def parse_version(release: str) -> Version:
    """Return the numbers that *release* begins with (``6.12.117+deb12-amd64``: 6, 12, 117).

    At most three; 0, 0 for what begins otherwise.
    """
    found = _NUMBERS.match(release)
    if found is None:
        return 0, 0
    return tuple([int(number) for number in found[0].split(".")])


def was_read(version: Version) -> bool:
    """Tell whether the rules of a kernel of that *version* were read."""
    return KNOWN_FROM <= version[:2] <= KNOWN_TO
