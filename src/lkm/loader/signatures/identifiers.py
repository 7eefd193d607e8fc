"""The object identifiers that a kernel knows: it logs the others, and of some the number.

Source: include/linux/oid_registry.h, lib/oid_registry.c.
"""

from __future__ import annotations

from lkm.loader.facts import KernelFacts
from lkm.loader.releases import MORE_IDENTIFIERS, P521_KEYS, SHA3_SIGNATURES, Change

_LONGEST = 49  # of an identifier as text, in the kernel's buffer
_WORD = 1 << 64

DATA = "1.2.840.113549.1.7.1"
SIGNED_DATA = "1.2.840.113549.1.7.2"
CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
SMIME_CAPABILITIES = "1.2.840.113549.1.9.15"
INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4"
STATEMENT_TYPE = "1.3.6.1.4.1.311.2.1.11"
PROGRAM_NAME = "1.3.6.1.4.1.311.2.1.12"

# In the kernel's order, which gives them their numbers: what 6.1 and 6.12 know between them.
_ORDER = (
    *("1.2.840.10030.4.3", "1.2.840.10040.4.1", "1.2.840.10045.2.1", "1.2.840.10045.3.1.1"),
    *("1.2.840.10045.3.1.7", "1.2.840.10045.4.1", "1.2.840.10045.4.3.1", "1.2.840.10045.4.3.2"),
    *("1.2.840.10045.4.3.3", "1.2.840.10045.4.3.4", "1.2.840.113549.1.1.1"),
    *("1.2.840.113549.1.1.2", "1.2.840.113549.1.1.3", "1.2.840.113549.1.1.4"),
    *("1.2.840.113549.1.1.5", "1.2.840.113549.1.1.11", "1.2.840.113549.1.1.12"),
    *("1.2.840.113549.1.1.13", "1.2.840.113549.1.1.14", DATA, SIGNED_DATA),
    *("1.2.840.113549.1.9.1", CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, SMIME_CAPABILITIES),
    *("1.2.840.113549.1.9.16.2.11", "1.2.840.113549.2.2", "1.2.840.113549.2.4"),
    *("1.2.840.113549.2.5", "1.2.840.48018.1.2.2", "1.2.840.113554.1.2.2"),
    *("1.2.840.113554.1.2.2.3", INDIRECT_DATA, STATEMENT_TYPE, PROGRAM_NAME),
    *("1.3.6.1.4.1.311.2.1.15", "1.3.6.1.4.1.311.2.1.21", "1.3.6.1.4.1.311.16.4"),
    *("1.3.6.1.4.1.311.2.2.10", "1.3.6.1.4.1.311.2.2.30", "1.3.6.1.5.5.2", "1.3.6.1.5.2.5"),
    *("1.3.5.1.5.2.7", "1.3.6.1.5.5.14", "1.3.6.1.5.5.7.1.1", "1.3.14.3.2.26", "1.3.132.0.34"),
    *("1.3.132.0.35", "2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2"),
    *("2.16.840.1.101.3.4.2.3", "2.16.840.1.101.3.4.2.4", "2.5.4.3", "2.5.4.4", "2.5.4.6"),
    *("2.5.4.7", "2.5.4.8", "2.5.4.10", "2.5.4.11", "2.5.4.12", "2.5.4.13", "2.5.4.41"),
    *("2.5.4.42", "2.5.4.43", "2.5.4.44", "2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.18"),
    *("2.5.29.19", "2.5.29.31", "2.5.29.32", "2.5.29.35", "2.5.29.37", "1.2.752.43.14.2"),
    *("1.2.752.43.14.3", "1.2.643.2.2.35.1", "1.2.643.2.2.35.2", "1.2.643.2.2.35.3"),
    *("1.2.643.7.1.1.1.1", "1.2.643.7.1.1.1.2", "1.2.643.7.1.1.2.2", "1.2.643.7.1.1.2.3"),
    *("1.2.643.7.1.1.3.2", "1.2.643.7.1.1.3.3", "1.2.643.7.1.2.1.1.1", "1.2.643.7.1.2.1.1.2"),
    *("1.2.643.7.1.2.1.1.3", "1.2.643.7.1.2.1.1.4", "1.2.643.7.1.2.1.2.1"),
    *("1.2.643.7.1.2.1.2.2", "1.2.643.7.1.2.1.2.3", "1.2.156.10197.1.301"),
    *("1.2.156.10197.1.401", "1.2.156.10197.1.501", "1.2.156.10197.1.504", "2.23.133.10.1.3"),
    *("2.23.133.10.1.4", "2.23.133.10.1.5", "2.16.840.1.101.3.4.2.8"),
    *("2.16.840.1.101.3.4.2.9", "2.16.840.1.101.3.4.2.10", "2.16.840.1.101.3.4.3.10"),
    *("2.16.840.1.101.3.4.3.11", "2.16.840.1.101.3.4.3.12", "2.16.840.1.101.3.4.3.14"),
    *("2.16.840.1.101.3.4.3.15", "2.16.840.1.101.3.4.3.16"),
)
_ADDED: dict[str, Change] = {
    "1.3.6.1.4.1.311.2.2.30": MORE_IDENTIFIERS,
    "1.3.132.0.35": P521_KEYS,
    "2.16.840.1.101.3.4.2.8": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.2.9": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.2.10": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.3.10": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.3.11": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.3.12": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.3.14": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.3.15": SHA3_SIGNATURES,
    "2.16.840.1.101.3.4.3.16": SHA3_SIGNATURES,
}
_REMOVED: dict[str, Change] = {
    "1.2.840.113549.1.1.2": SHA3_SIGNATURES,
    "1.2.840.113549.1.1.3": SHA3_SIGNATURES,
    "1.2.840.113549.1.1.4": SHA3_SIGNATURES,
    "1.2.840.113549.2.2": SHA3_SIGNATURES,
    "1.2.840.113549.2.4": SHA3_SIGNATURES,
    "1.2.840.113549.2.5": SHA3_SIGNATURES,
}


def known(identifier: bytes, kernel: KernelFacts) -> str:
    """Return the dotted numbers of *identifier*, its contents, or nothing if unknown to *kernel*.

    A number with zeros in front is another identifier, which no kernel knows.
    """
    if not identifier or identifier[-1] & 0x80 or _has_padding(identifier):
        return ""
    text = as_text(identifier)
    return text if text in _ORDER and _is_in(text, kernel) else ""


def number(identifier: str, kernel: KernelFacts) -> int:
    """Return the number that *kernel* has for *identifier*, that of none for an empty one."""
    every = [each for each in _ORDER if _is_in(each, kernel)]
    return every.index(identifier) if identifier else len(every)


def as_text(identifier: bytes) -> str:
    """Return the dotted numbers as the kernel prints them: cut, and of a broken one a part."""
    if not identifier:
        return "(bad)"
    first = identifier[0]
    text = f"{first // 40}.{first % 40}"
    value = 0
    ended = True
    for byte in identifier[1:]:
        value = (value << 7 | byte & 0x7F) % _WORD
        ended = not byte & 0x80
        if ended:
            text += f".{value}"
            value = 0
    return text[:_LONGEST] if ended else f"{text}(bad)"[:_LONGEST]


def _has_padding(identifier: bytes) -> bool:
    """Tell whether a number in *identifier* begins with a zero that says nothing."""
    before = 0
    for byte in identifier:
        if byte == 0x80 and not before & 0x80:
            return True
        before = byte
    return False


def _is_in(identifier: str, kernel: KernelFacts) -> bool:
    added, removed = _ADDED.get(identifier), _REMOVED.get(identifier)
    return (added is None or kernel.has(added)) and (removed is None or not kernel.has(removed))
