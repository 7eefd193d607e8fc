"""Why a module counts as unsigned, and what a kernel has against that, in words."""

from __future__ import annotations

import errno

from lkm.loader.facts import KernelFacts
from lkm.module.signature import MAGIC, read_signature


def why_unsigned(answer: int, data: bytes, evidence: str) -> tuple[str, str]:
    """Return why a module counts as unsigned, and what helps, for the errno *answer*.

    *data* is the file with its signature, *evidence* what verifying that came to.
    """
    found = read_signature(data)
    if answer == errno.ENOKEY and found is not None and found.signer:
        key = found.key_id.hex(":").upper()
        return (
            f"it is signed by '{found.signer}', key {key}, which this kernel does not trust",
            "boot with that key's certificate (--certificate FILE)",
        )
    if answer != errno.ENODATA:
        return evidence, "sign it with a key and algorithms that the kernel takes"
    if data.endswith(MAGIC):
        return (
            "it is signed, but loading it by force makes it count as unsigned",
            "load it without force",
        )
    return "it has no signature", "sign the module"


def enforced_by(kernel: KernelFacts) -> tuple[str, str]:
    """Return what makes *kernel*, which enforces signatures, insist, and what helps."""
    if kernel.options.module_sig_force:
        return "it was built so, CONFIG_MODULE_SIG_FORCE", "boot another kernel"
    return "module.sig_enforce", "boot without module.sig_enforce"
