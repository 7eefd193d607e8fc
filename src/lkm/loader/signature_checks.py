"""The kernel's check of the signature at a module's end, and what follows from there being none."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator

from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import DAMAGED, Finding, LogLine, refusal
from lkm.loader.given import IGNORE_MODVERSIONS, IGNORE_VERMAGIC, GivenFile
from lkm.loader.taint import Taint
from lkm.module.signature import MAGIC

_PKCS7 = 2  # a signature's id type; the kernel takes no other


def signature(file: GivenFile) -> Iterator[Finding]:
    """Look at the record in front of the signature's magic; the signature is not verified."""
    if not file.kernel.options.module_sig:
        return
    forced = file.flags & (IGNORE_MODVERSIONS | IGNORE_VERMAGIC)
    if not forced and file.data.endswith(MAGIC):
        rest = file.data[: -len(MAGIC)]
        if len(rest) <= 12 or struct.unpack(">I", rest[-4:])[0] >= len(rest) - 12:
            yield Finding(
                check="signature",
                errno=errno.EBADMSG,
                evidence="the signature's length does not fit in the file",
                remedy=DAMAGED,
            )
            return
        if rest[-10] != _PKCS7:
            text = "module: not signed with expected PKCS#7 message"
            yield Finding(check="signature", log=(LogLine(3, text),), evidence=text)
        elif any(rest[-12:-10]) or any(rest[-9:-4]):
            text = "module: PKCS#7 signature info has unexpected non-zero params"
            yield refusal("signature", text, errno.EBADMSG)
        else:
            file.signed = True
    if not file.signed and file.kernel.signatures_enforced:
        yield Finding(
            check="signature",
            errno=errno.EKEYREJECTED,
            log=(LogLine(5, "Loading of unsigned module is rejected"),),
            evidence="the kernel takes signed modules only (module.sig_enforce)",
            remedy="sign the module, or boot without module.sig_enforce",
        )


def unsigned(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Taint by a module without a signature, on a kernel that knows of signatures."""
    if not kernel.options.module_sig or module.signed:
        return
    text = (
        f"{module.name}: module verification failed: signature and/or required key missing - "
        "tainting kernel"
    )
    said = not kernel.tainted & Taint.UNSIGNED  # once a boot
    yield Finding(
        check="unsigned",
        log=(LogLine(5, text),) if said else (),
        evidence=text,
        taint=Taint.UNSIGNED,
        kernel_taint=Taint.UNSIGNED,
    )
