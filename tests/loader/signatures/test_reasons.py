"""Why a module counts as unsigned, in words, with the key's name and what helps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lkm.loader.file.given import IGNORE_VERMAGIC
from tests.builders.pkcs7 import a_certificate, a_key
from tests.loader.examining import a_clean_file, a_file, a_kernel, examined


@pytest.mark.parametrize(
    ("signed", "flags", "evidence", "remedy"),
    [
        (False, 0, "it has no signature; ", "sign the module, or boot without module.sig_enforce"),
        (True, IGNORE_VERMAGIC, "loading it by force makes it count as unsigned", "without force"),
        (True, 0, "which this kernel does not trust", "--certificate"),
    ],
)
def test_a_kernel_that_enforces_signatures_says_what_is_against_it(
    signed: bool, flags: int, evidence: str, remedy: str
) -> None:
    other = (a_certificate(a_key("rsa2048"), "Somebody"),)
    kernel = replace(a_kernel(), signatures_enforced=True, certificates=other)

    verdict = examined(a_clean_file() if signed else a_file(), kernel, flags=flags)

    assert verdict.refusal is not None
    assert evidence in verdict.refusal.evidence
    assert verdict.refusal.evidence.endswith("takes signed modules only (module.sig_enforce)")
    assert remedy in verdict.refusal.remedy
