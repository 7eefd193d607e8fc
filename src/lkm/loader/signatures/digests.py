"""The digests that signatures are made of, as a kernel has them.

Source: crypto/asymmetric_keys/pkcs7_parser.c, pkcs7_verify.c; crypto/rsa-pkcs1pad.c.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lkm.loader.releases import SHA3_SIGNATURES
from lkm.loader.signatures.asked_kernel import AskedKernel, UnverifiedError

_MD4, _MD5 = "1.2.840.113549.2.4", "1.2.840.113549.2.5"
_SHA3 = {
    "2.16.840.1.101.3.4.2.8": "sha3-256",
    "2.16.840.1.101.3.4.2.9": "sha3-384",
    "2.16.840.1.101.3.4.2.10": "sha3-512",
}
_NAMES = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "1.2.156.10197.1.401": "sm3",
    "1.2.643.7.1.1.2.2": "streebog256",
    "1.2.643.7.1.1.2.3": "streebog512",
}


@dataclass(frozen=True, slots=True)
class _Provider:
    """Who computes a digest: the option that builds it in, and modules; how hashlib calls it."""

    option: str
    modules: tuple[str, ...]
    python_name: str


_SHA256 = ("sha256_generic", "sha256_ssse3")
_SHA512 = ("sha512_generic", "sha512_ssse3")
_PROVIDERS = {
    "md4": _Provider("", ("md4",), "md4"),
    "md5": _Provider("crypto_md5", ("md5",), "md5"),
    "sha1": _Provider("crypto_sha1", ("sha1_generic", "sha1_ssse3"), "sha1"),
    "sha224": _Provider("module_sig", _SHA256, "sha224"),
    "sha256": _Provider("module_sig", _SHA256, "sha256"),
    "sha384": _Provider("crypto_sha512", _SHA512, "sha384"),
    "sha512": _Provider("crypto_sha512", _SHA512, "sha512"),
    "sha3-256": _Provider("crypto_sha3", ("sha3_generic",), "sha3_256"),
    "sha3-384": _Provider("crypto_sha3", ("sha3_generic",), "sha3_384"),
    "sha3-512": _Provider("crypto_sha3", ("sha3_generic",), "sha3_512"),
    "sm3": _Provider("", ("sm3_generic", "sm3_avx_x86_64"), "sm3"),
    "streebog256": _Provider("", ("streebog_generic",), ""),
    "streebog512": _Provider("", ("streebog_generic",), ""),
}


def digest_name(identifier: str, kernel: AskedKernel) -> str:
    """Return the kernel's name of the digest with that *identifier*, nothing if it takes none."""
    if kernel.facts.has(SHA3_SIGNATURES):
        return _NAMES.get(identifier) or _SHA3.get(identifier, "")
    return _NAMES.get(identifier) or {_MD4: "md4", _MD5: "md5"}.get(identifier, "")


def digest(name: str, data: bytes, kernel: AskedKernel) -> bytes | None:
    """Return the digest *name* of *data*, None where the kernel has no such algorithm.

    Raises ``UnverifiedError`` for one that Python does not have.
    """
    provider = _PROVIDERS[name]
    built_in = bool(provider.option) and bool(getattr(kernel.facts.options, provider.option))
    if not kernel.has_algorithm(name, provider.modules, built_in=built_in):
        return None
    try:
        return hashlib.new(provider.python_name, data, usedforsecurity=False).digest()
    except ValueError:
        raise UnverifiedError(f"this Python has no {name}") from None
