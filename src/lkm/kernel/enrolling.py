"""Certificates that a kernel is told to trust beside its own: their files, in DER or PEM.

A machine's owner enrols them in its firmware (mokutil). Kernels look for the keys of modules in
their own keyring, in the secondary one, which the owner's keyring belongs to, and distributions'
kernels, as Debian's, in the firmware's as well. Here all these are one.

Source: certs/system_keyring.c; RFC 7468, section 5.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable

from lkm._text import decode
from lkm.errors import FileError, FormatError, UsageError
from lkm.loader.facts import KernelFacts
from lkm.loader.options import KernelOptions
from lkm.loader.signatures.asked_kernel import AskedKernel, RefusedError, UnverifiedError
from lkm.loader.signatures.certificate_rules import read_certificate
from lkm.vmlinux.certificates import Certificate, parse_certificate

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_OTHER_BEGIN = re.compile(rb"\s*-----(BEGIN [A-Z0-9 ]{1,40})-----")
_REMEDY = "name an X.509 certificate in DER or PEM"
_LARGEST = 1 << 20


def read_enrolled(
    paths: Iterable[str], release: str, options: KernelOptions
) -> tuple[Certificate, ...]:
    """Return the certificates in the files at *paths*, for the kernel *release* with *options*.

    Raises ``FileError`` and ``FormatError`` for a file that holds none, and ``UsageError`` for a
    certificate that this kernel would not take.
    """
    found: list[Certificate] = []
    for path in paths:
        for certificate in _read(path):
            _check(path, certificate, KernelFacts(release=release, options=options))
            found.append(certificate)
    return tuple(found)


def check_certificates(paths: Iterable[str]) -> None:
    """Raise what ``read_enrolled`` raises for a file that holds no certificate."""
    for path in paths:
        _read(path)


def parse_certificates(data: bytes) -> tuple[Certificate, ...]:
    """Return the certificates in *data*: one in DER, or any number in PEM.

    Raises ``FormatError`` for anything else.
    """
    if _BEGIN not in data:
        begins = _OTHER_BEGIN.match(data)
        if begins:
            label = decode(begins[1])
            raise FormatError(
                "certificate", f"holds no certificate (it begins {label})", remedy=_REMEDY
            )
        return (parse_certificate(data),)
    found: list[Certificate] = []
    for part in data.split(_BEGIN)[1:]:
        text, end, _rest = part.partition(_END)
        try:
            plain = binascii.a2b_base64(b"".join(text.split()), strict_mode=True)
        except ValueError:
            plain = b""
        if not end or not plain:
            raise FormatError("certificate", "PEM that is cut off, or no base64", remedy=_REMEDY)
        found.append(parse_certificate(plain))
    return tuple(found)


def _read(path: str) -> tuple[Certificate, ...]:
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST)
    except OSError as error:
        raise FileError.from_os("read", path, error) from None
    try:
        return parse_certificates(data)
    except FormatError as error:
        raise FormatError(
            error.what, error.problem, offset=error.offset, path=path, remedy=_REMEDY
        ) from None


def _check(path: str, certificate: Certificate, kernel: KernelFacts) -> None:
    try:
        read_certificate(certificate.data, AskedKernel(kernel))
    except (RefusedError, FormatError) as error:
        raise UsageError(
            f"{path}: the kernel {kernel.release} would not take this certificate: {error}"
        ) from None
    except UnverifiedError:
        pass  # nobody can look here; the certificate is the user's own
