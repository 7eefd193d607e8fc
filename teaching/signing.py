"""Sign modules as a kernel's build does: PKCS#7 without attributes, RSA, SHA-256.

The key is no secret and must not be one: whoever rebuilds the teaching kernel has to get the same
bytes. So it is made from a sentence, by hashing, and no key lies in the repository.

Source: RFC 2315; RFC 5280, section 4.1; RFC 8017, section 8.2; scripts/sign-file.c.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from lkm.module import der
from lkm.module.signature import MAGIC

_SENTENCE = b"The teaching kernel's signing key, known to everyone and good for nothing else."
_SIGNER = "lkm teaching kernel key"
_BITS = 2048
_EXPONENT = 65537
_ROUNDS = 32  # of Miller and Rabin's test
_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % d for d in range(3, int(n**0.5) + 1, 2))]

_RSA = "1.2.840.113549.1.1.1"
_RSA_WITH_SHA256 = "1.2.840.113549.1.1.11"
_SHA256 = "2.16.840.1.101.3.4.2.1"
_DATA, _SIGNED_DATA = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2"
_COMMON_NAME, _KEY_USAGE, _CONSTRAINTS = "2.5.4.3", "2.5.29.15", "2.5.29.19"
_SUBJECT_KEY = "2.5.29.14"
_BIT_STRING, _NULL, _UTF8, _BOOLEAN = 0x03, 0x05, 0x0C, 0x01
_SHORT_TIME, _TIME = 0x17, 0x18
_DIGITAL_SIGNATURE = b"\x07\x80"


@dataclass(frozen=True, slots=True)
class Key:
    """An RSA key, and its *certificate*, signed by itself, in DER."""

    modulus: int
    private: int
    certificate: bytes
    serial: bytes

    def signed(self, module: bytes) -> bytes:
        """Return *module* with its signature appended."""
        algorithm = _sequence(_identifier(_SHA256), _element(_NULL))
        signer = _sequence(
            _number(1),
            _sequence(_name(_SIGNER), _element(der.INTEGER, self.serial)),
            algorithm,
            _sequence(_identifier(_RSA), _element(_NULL)),
            _element(der.OCTET_STRING, _signature(module, self.modulus, self.private)),
        )
        message = _sequence(
            _number(1),
            _element(der.SET, algorithm),
            _sequence(_identifier(_DATA)),
            _element(der.SET, signer),
        )
        whole = _sequence(_identifier(_SIGNED_DATA), _element(der.CONTEXT_0, message))
        pkcs7 = 2
        return module + whole + struct.pack(">5B3xI", 0, 0, pkcs7, 0, 0, len(whole)) + MAGIC


def teaching_key() -> Key:
    """Make the key that all but the out-of-tree modules are signed with. Takes about a second."""
    first, second = _prime(b"first"), _prime(b"second")
    modulus = first * second
    private = pow(_EXPONENT, -1, (first - 1) * (second - 1))
    public = _sequence(_number(modulus), _number(_EXPONENT))
    key_id = hashlib.sha1(public, usedforsecurity=False).digest()
    # Positive, and 20 bytes long as modinfo's lines are.
    serial = bytes([key_id[0] & 0x3F | 0x40]) + key_id[1:]
    body = _sequence(
        _element(der.CONTEXT_0, _number(2)),
        _element(der.INTEGER, serial),
        _sequence(_identifier(_RSA_WITH_SHA256), _element(_NULL)),
        _name(_SIGNER),
        # Until 2049 the kernel takes years of two digits only.
        _sequence(_element(_SHORT_TIME, b"260101000000Z"), _element(_TIME, b"99991231235959Z")),
        _name(_SIGNER),
        _sequence(
            _sequence(_identifier(_RSA), _element(_NULL)),
            _element(_BIT_STRING, b"\0" + public),
        ),
        _element(der.CONTEXT_0 + 3, _sequence(*_extensions(key_id))),
    )
    certificate = _sequence(
        body,
        _sequence(_identifier(_RSA_WITH_SHA256), _element(_NULL)),
        _element(_BIT_STRING, b"\0" + _signature(body, modulus, private)),
    )
    return Key(modulus, private, certificate, serial)


def _extensions(key_id: bytes) -> Iterator[bytes]:
    critical = _element(_BOOLEAN, b"\xff")
    for identifier, parts in (
        (_CONSTRAINTS, (critical, _element(der.OCTET_STRING, _sequence()))),
        (_KEY_USAGE, (_element(der.OCTET_STRING, _element(_BIT_STRING, _DIGITAL_SIGNATURE)),)),
        (_SUBJECT_KEY, (_element(der.OCTET_STRING, _element(der.OCTET_STRING, key_id)),)),
    ):
        yield _sequence(_identifier(identifier), *parts)


def _signature(data: bytes, modulus: int, private: int) -> bytes:
    digest = hashlib.sha256(data).digest()
    stated = _sequence(
        _sequence(_identifier(_SHA256), _element(_NULL)), _element(der.OCTET_STRING, digest)
    )
    size = _BITS // 8
    padded = b"\0\1" + b"\xff" * (size - len(stated) - 3) + b"\0" + stated
    return pow(int.from_bytes(padded, "big"), private, modulus).to_bytes(size, "big")


def _prime(label: bytes) -> int:
    """Return the first prime from a number on that is the hash of the sentence and *label*."""
    size = _BITS // 16
    start = int.from_bytes(hashlib.shake_256(_SENTENCE + label).digest(size), "big")
    # Two high bits, so that the product of two has all its bits; and odd.
    candidate = start | 3 << (8 * size - 2) | 1
    while candidate % _EXPONENT == 1 or not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(number: int) -> bool:
    if any(number % prime == 0 for prime in _SMALL_PRIMES):
        return False
    odd = number - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    for witness in _SMALL_PRIMES[:_ROUNDS]:
        power = pow(witness, odd, number)
        if power in {1, number - 1}:
            continue
        for _turn in range(twos - 1):
            power = power * power % number
            if power == number - 1:
                break
        else:
            return False
    return True


def _element(tag: int, *contents: bytes) -> bytes:
    data = b"".join(contents)
    if len(data) < 128:
        return bytes((tag, len(data))) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + data


def _sequence(*contents: bytes) -> bytes:
    return _element(der.SEQUENCE, *contents)


def _number(number: int) -> bytes:
    return _element(der.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _name(common_name: str) -> bytes:
    attribute = _sequence(_identifier(_COMMON_NAME), _element(_UTF8, common_name.encode()))
    return _sequence(_element(der.SET, attribute))


def _identifier(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    data = b""
    for number in (40 * first + second, *rest):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.insert(0, number & 0x7F | 0x80)
        data += bytes(groups)
    return _element(der.OBJECT_IDENTIFIER, data)
