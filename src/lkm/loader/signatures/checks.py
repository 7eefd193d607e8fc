"""The kernel's check of the signature at a module's end, and what follows from there being none.

A signature that is damaged or wrong is final. One by an unknown key, or by algorithms that the
kernel lacks, counts as none. A kernel looks for keys among the certificates compiled into it and
those of its machine's owner; keys and modules that its firmware revokes are not known here.

Source: kernel/module/signing.c, kernel/module_signature.c, security/lockdown/lockdown.c.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from dataclasses import replace

from lkm.errors import FormatError
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.file.given import IGNORE_MODVERSIONS, IGNORE_VERMAGIC, GivenFile
from lkm.loader.findings import DAMAGED, Finding, LogLine, refusal
from lkm.loader.signatures.asked_kernel import AskedKernel, RefusedError, UnverifiedError
from lkm.loader.signatures.message_rules import read_message
from lkm.loader.signatures.reasons import enforced_by, why_unsigned
from lkm.loader.signatures.trust import Keyring, verify_message
from lkm.loader.taint import Taint
from lkm.module.signature import MAGIC

_PKCS7 = 2  # a signature's id type; the kernel takes no other
_RECORD = 12

_REASONS = {
    errno.ENODATA: "unsigned module",
    errno.ENOPKG: "module with unsupported crypto",
    errno.ENOKEY: "module with unavailable key",
}
_WHY = {
    errno.ENOPKG: "the kernel lacks an algorithm that its signature needs",
    errno.ENOKEY: "no certificate that the kernel trusts is of the key that signed it",
}
_WRONG = "the module, or its signature, is not as it was signed"
_REMEDY = {
    errno.ENOPKG: "sign it by RSA with SHA-256, which kernels with signatures have",
    errno.ENOKEY: "sign it with a key that the kernel trusts, or enrol the key's certificate",
}


def signature(file: GivenFile) -> Iterator[Finding]:
    """Verify the signature at the file's end, and cut it off as the kernel does.

    What counts as unsigned is refused where only signed modules are let in.
    """
    if not file.kernel.options.module_sig:
        return
    answer, doubt = errno.ENODATA, False
    evidence, whole = "", file.data
    forced = file.flags & (IGNORE_MODVERSIONS | IGNORE_VERMAGIC)
    if not forced and len(file.data) > len(MAGIC) and file.data.endswith(MAGIC):
        kernel = AskedKernel(file.kernel)
        answer, evidence, doubt = _verified(file, kernel)
        file.signed = not answer
        if answer or doubt or kernel.log:
            yield Finding(
                check="signature",
                errno=_answered(answer, file.kernel, doubt=doubt),
                log=tuple(kernel.log),
                evidence=evidence,
                remedy=_REMEDY.get(answer, DAMAGED if answer else ""),
                could_not_tell=doubt,
            )
    if answer in _REASONS:
        why = why_unsigned(answer, whole, evidence)
        for refused in _let_in(_REASONS[answer], why, file.kernel):
            yield replace(refused, evidence=evidence, could_not_tell=True) if doubt else refused


def _answered(answer: int, kernel: KernelFacts, *, doubt: bool) -> int:
    """Return the errno for what verifying came to.

    A signature that counts as good only because of a *doubt* decides where the kernel insists on
    good ones.
    """
    if doubt and not answer and (kernel.signatures_enforced or kernel.locked_down):
        return errno.EKEYREJECTED if kernel.signatures_enforced else errno.EPERM
    return 0 if answer in _REASONS else answer


def _verified(file: GivenFile, kernel: AskedKernel) -> tuple[int, str, bool]:
    """Return the kernel's errno, 0 for a good signature; why; and whether that is in doubt.

    Where lkm cannot tell, the signature counts as good.
    """
    file.data = file.data[: -len(MAGIC)]
    try:
        answer = _verify(file, kernel)
    except UnverifiedError as error:
        return 0, f"{error}; its signature is taken for a good one", True
    except RefusedError as error:
        answer, why = error.errno, str(error)
    except FormatError as error:
        answer, why = errno.EBADMSG, f"its signature is damaged: {error}"
    else:
        why = kernel.log[-1].text if kernel.log and answer else _WHY.get(answer, _WRONG)
    if kernel.doubts:
        why = "; ".join([why, *kernel.doubts]) if answer else "; ".join(kernel.doubts)
    return answer, why, bool(kernel.doubts)


def _verify(file: GivenFile, kernel: AskedKernel) -> int:
    """Cut off record and message, as far as the kernel looks at them, and verify the rest."""
    message = _cut_off(file, kernel)
    answer = verify_message(read_message(message, kernel), file.data, Keyring(kernel), kernel)
    if answer == errno.ENOKEY and file.kernel.options.integrity_platform_keyring:
        # The kernel begins anew with the firmware's keys, and so says everything again.
        kernel.log += kernel.log
    return answer


def _cut_off(file: GivenFile, kernel: AskedKernel) -> bytes:
    """Return the message in front of the record at the file's end, of which both are cut off."""
    data = file.data
    size = struct.unpack(">I", data[-4:])[0] if len(data) > _RECORD else len(data)
    end = len(data) - _RECORD
    if size >= end:
        raise RefusedError(errno.EBADMSG, "the signature's length does not fit in the file")
    record = data[end:]
    if record[2] != _PKCS7:
        text = "module: not signed with expected PKCS#7 message"
        raise kernel.refuses(errno.ENOPKG, text, level=3)
    if any(record[:2]) or any(record[3:8]):
        text = "module: PKCS#7 signature info has unexpected non-zero params"
        raise kernel.refuses(errno.EBADMSG, text, level=3)
    file.data = data[: end - size]
    return data[end - size : end]


def _let_in(reason: str, why: tuple[str, str], kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse what has no good signature, for that *reason*, where the kernel insists on one.

    *why* says in words why it has none, and what helps.
    """
    evidence, remedy = why
    if kernel.signatures_enforced:
        insists, otherwise = enforced_by(kernel)
        yield refusal(
            "signature",
            f"Loading of {reason} is rejected",
            errno.EKEYREJECTED,
            level=5,
            evidence=f"{evidence}; the kernel takes signed modules only ({insists})",
            remedy=f"{remedy}, or {otherwise}",
        )
    elif kernel.locked_down:
        text = f"{kernel.asking}: unsigned module loading is restricted; see man kernel_lockdown.7"
        yield refusal(
            "signature",
            f"Lockdown: {text}",
            errno.EPERM,
            level=5,
            evidence=f"{evidence}; the kernel is locked down, and takes signed modules only",
            remedy=f"{remedy}, or boot without lockdown",
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
