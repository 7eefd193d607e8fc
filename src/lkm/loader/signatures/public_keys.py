"""Verify a signature by a public key, with the answers of the kernel.

The library ``cryptography`` does the verifying; where it says no, what a kernel would have
stumbled over first decides about the errno.

Source: crypto/asymmetric_keys/public_key.c, crypto/rsa.c, rsa-pkcs1pad.c, ecdsa.c.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lkm.errors import FormatError, MissingLibraryError
from lkm.loader.releases import NARROW_RSA, SHA3_SIGNATURES
from lkm.loader.signatures.asked_kernel import AskedKernel, UnverifiedError
from lkm.module import ber
from lkm.module.ber import Reader

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

# Whole 64-bit words count: a modulus of 2041 bits is one of 2048.
_RSA_SIZES = frozenset({64, 128, 192, 256, 384, 512})
_WORD = 8
_SHA2 = frozenset({"sha1", "sha224", "sha256", "sha384", "sha512"})
_SHA3 = frozenset({"sha3-256", "sha3-384", "sha3-512"})
# What stands in front of the digest in a signature by RSA: RFC 8017, section 9.2.
_IN_FRONT = {
    "md5": "3020300c06082a864886f70d020505000410",
    "sha1": "3021300906052b0e03021a05000414",
    "sha224": "302d300d06096086480165030402040500041c",
    "sha256": "3031300d060960864801650304020105000420",
    "sha384": "3041300d060960864801650304020205000430",
    "sha512": "3051300d060960864801650304020305000440",
    "sha3-256": "3031300d060960864801650304020805000420",
    "sha3-384": "3041300d060960864801650304020905000430",
    "sha3-512": "3051300d060960864801650304020a05000440",
}
# The orders of the curves, by the names of their keys; FIPS 186-4, D.1.2.
_ORDERS = {
    "ecdsa-nist-p192": 0xFFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831,
    "ecdsa-nist-p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ecdsa-nist-p384": int(
        "ffffffffffffffffffffffffffffffffffffffffffffffff"
        "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        16,
    ),
    "ecdsa-nist-p521": int(
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        16,
    ),
}
_UNCOMPRESSED = 4


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: *algorithm* as the kernel names it, the key itself as it is encoded."""

    algorithm: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature to verify: *algorithm* (``rsa``, ``ecdsa``), name of the digest, the digest.

    *digest* is empty where the kernel does not have that algorithm.
    """

    algorithm: str
    digest_name: str
    digest: bytes
    value: bytes


def verify(key: PublicKey, signed: Signed, kernel: AskedKernel) -> int:
    """Return 0 if *key* has made the signature, or else the kernel's errno.

    Raises ``UnverifiedError`` without the library, or where it does not know the algorithm.
    """
    if key.algorithm.partition("-")[0] != signed.algorithm:
        return errno.EKEYREJECTED
    if signed.algorithm == "rsa":
        return _verify_rsa(key, signed, kernel)
    if signed.algorithm == "ecdsa":
        return _verify_ecdsa(key, signed, kernel)
    raise UnverifiedError(f"lkm knows no signatures by {signed.algorithm}")


def usable(key: PublicKey, signed: Signed, kernel: AskedKernel) -> int:
    """Return the kernel's errno where ``verify`` would not come to look at the signature, or 0."""
    if signed.algorithm == "rsa":
        numbers = _rsa_numbers(key.data)
        return numbers if isinstance(numbers, int) else 0
    return _usable_curve(key, signed, kernel) if signed.algorithm == "ecdsa" else 0


def _verify_rsa(key: PublicKey, signed: Signed, kernel: AskedKernel) -> int:
    front = _IN_FRONT.get(signed.digest_name)
    if front is None or (signed.digest_name in _SHA3 and not kernel.facts.has(SHA3_SIGNATURES)):
        raise UnverifiedError(f"lkm knows no signatures by RSA with {signed.digest_name}")
    numbers = _rsa_numbers(key.data)
    if isinstance(numbers, int):
        return numbers
    modulus, exponent = numbers
    size = _rsa_size(modulus)
    if not signed.digest or len(signed.value) != size:
        return errno.EINVAL
    whole = _recover(modulus, exponent, signed.value)
    if whole is None:
        number = int.from_bytes(signed.value, "big")
        if kernel.facts.has(NARROW_RSA) and not 1 < number < modulus - 1:
            return errno.EINVAL
        return _wrong_padding(modulus, exponent, number, size)
    prefix = bytes.fromhex(front)
    if not whole.startswith(prefix):
        return errno.EBADMSG
    return 0 if whole[len(prefix) :] == signed.digest else errno.EKEYREJECTED


def _rsa_numbers(data: bytes) -> tuple[int, int] | int:
    """Return modulus and exponent of a key, or the errno of one that is of no use."""
    reader = Reader(data, "RSA key")
    try:
        reader.enter(ber.SEQUENCE)
        modulus = reader.leaf(ber.INTEGER).contents
        if not modulus:
            return errno.EINVAL
        exponent = reader.leaf(ber.INTEGER).contents
        if not 0 < len(exponent) <= len(modulus):
            return errno.EINVAL
        reader.leave()
    except FormatError:
        return errno.EBADMSG
    numbers = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    return numbers if _rsa_size(numbers[0]) in _RSA_SIZES else errno.EINVAL


def _rsa_size(modulus: int) -> int:
    return -(-modulus.bit_length() // (8 * _WORD)) * _WORD


def _recover(modulus: int, exponent: int, value: bytes) -> bytes | None:
    """Return what was signed, without its padding, None where that is wrong."""
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
    except ImportError:
        raise _no_library() from None
    try:
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        return key.recover_data_from_signature(value, padding.PKCS1v15(), None)
    except InvalidSignature:
        return None
    except (UnsupportedAlgorithm, ValueError) as error:
        if not _is_padded(modulus, exponent, value):
            return None
        raise UnverifiedError(f"the library cryptography does not take its key: {error}") from None


def _is_padded(modulus: int, exponent: int, value: bytes) -> bool:
    number = int.from_bytes(value, "big")
    plain = pow(number, exponent, modulus).to_bytes(len(value), "big")
    return number < modulus and plain.startswith(b"\0\1" + b"\xff" * 8)


def _wrong_padding(modulus: int, exponent: int, number: int, size: int) -> int:
    if number >= modulus:
        return errno.EINVAL
    plain = pow(number, exponent, modulus).to_bytes(size, "big")
    return errno.EINVAL if plain[0] else errno.EBADMSG


def _usable_curve(key: PublicKey, signed: Signed, kernel: AskedKernel) -> int:
    names = _SHA2 | _SHA3 if kernel.facts.has(SHA3_SIGNATURES) else _SHA2
    if signed.digest_name not in names:
        return errno.EINVAL
    built_in = kernel.facts.options.crypto_ecdsa
    if not kernel.has_algorithm(key.algorithm, ("ecdsa_generic",), built_in=built_in):
        return errno.ENOENT
    return 0 if key.data[:1] == bytes((_UNCOMPRESSED,)) else errno.EINVAL


def _verify_ecdsa(key: PublicKey, signed: Signed, kernel: AskedKernel) -> int:
    answer = _usable_curve(key, signed, kernel)
    if answer:
        return answer
    order = _ORDERS[key.algorithm]
    size = -(-order.bit_length() // (8 * _WORD)) * _WORD
    numbers = _ecdsa_numbers(signed.value, size)
    if isinstance(numbers, int):
        return _checked_point(key) or numbers
    if not all(0 < number < order for number in numbers):
        return _checked_point(key) or errno.EBADMSG
    return _verify_numbers(key, signed, numbers)


def _ecdsa_numbers(value: bytes, size: int) -> tuple[int, int] | int:
    """Return the two numbers of a signature, or the errno of one that has none."""
    reader = Reader(value, "ECDSA signature")
    numbers: list[int] = []
    try:
        reader.enter(ber.SEQUENCE)
        for _turn in range(2):
            found = reader.leaf(ber.INTEGER).contents
            if not found or len(found) > size + 1 or (len(found) > size and found[0]):
                return errno.EINVAL
            numbers.append(int.from_bytes(found, "big"))
        reader.leave()
    except FormatError:
        return errno.EBADMSG
    return numbers[0], numbers[1]


def _checked_point(key: PublicKey) -> int:
    """Return the errno of a key that is no point of its curve, 0 for one that is."""
    try:
        _ec_key(key)
    except ValueError:
        return errno.EINVAL
    return 0


def _verify_numbers(key: PublicKey, signed: Signed, numbers: tuple[int, int]) -> int:
    try:
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils
    except ImportError:
        raise _no_library() from None
    # The kernel looks at the digest's length only, as this does: all of a length are one.
    algorithms: dict[int, hashes.HashAlgorithm] = {
        20: hashes.SHA1(),  # noqa: S303
        28: hashes.SHA224(),
        32: hashes.SHA256(),
        48: hashes.SHA384(),
        64: hashes.SHA512(),
    }
    if len(signed.digest) not in algorithms:
        return errno.EKEYREJECTED
    algorithm = ec.ECDSA(utils.Prehashed(algorithms[len(signed.digest)]))
    try:
        _ec_key(key).verify(utils.encode_dss_signature(*numbers), signed.digest, algorithm)
    except InvalidSignature:
        return errno.EKEYREJECTED
    except UnsupportedAlgorithm as error:
        raise UnverifiedError(f"the library cryptography does not do that: {error}") from None
    except ValueError:
        return errno.EINVAL
    return 0


def _ec_key(key: PublicKey) -> EllipticCurvePublicKey:
    """Return the library's form of *key*; raises ``ValueError`` for what is no point."""
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise _no_library() from None
    curves: dict[str, type[ec.EllipticCurve]] = {
        "ecdsa-nist-p192": ec.SECP192R1,
        "ecdsa-nist-p256": ec.SECP256R1,
        "ecdsa-nist-p384": ec.SECP384R1,
        "ecdsa-nist-p521": ec.SECP521R1,
    }
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(curves[key.algorithm](), key.data)
    except UnsupportedAlgorithm as error:
        raise UnverifiedError(f"the library cryptography does not do that: {error}") from None


def _no_library() -> UnverifiedError:
    missing = MissingLibraryError("cryptography", "verifying a module's signature")
    return UnverifiedError(f"{missing} ({missing.remedy})")
