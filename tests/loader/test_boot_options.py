"""The kernel's command line, as the loader reads it."""

from __future__ import annotations

import pytest

from lkm.loader.boot_options import BootOptions, boot_options, ignored_words

CASES = {
    "": BootOptions(),
    "quiet ro nomodule": BootOptions(modules_disabled=True),
    "nomodule=1": BootOptions(modules_disabled=True),
    "nomodule=y": BootOptions(modules_disabled=True),
    "nomodule=0": BootOptions(),
    "nomodule nomodule=n": BootOptions(),
    "nomodule=what": BootOptions(),
    "-- nomodule": BootOptions(),
    "nomodules": BootOptions(),
    "module_blacklist=a,b-c": BootOptions(blacklist=frozenset({"a", "b-c"})),
    'module_blacklist="a,b"': BootOptions(blacklist=frozenset({"a", "b"})),
    "module-blacklist=a module_blacklist=b": BootOptions(blacklist=frozenset({"b"})),
    "module.sig_enforce": BootOptions(signatures_enforced=True),
    "module.sig-enforce=1": BootOptions(signatures_enforced=True),
    "module.sig_enforce=1 module.sig_enforce=0": BootOptions(signatures_enforced=True),
    "module.sig_enforce=0": BootOptions(),
    "mitigations=off": BootOptions(spectre_v2=False),
    "mitigations=off mitigations=auto": BootOptions(),
    "mitigations=off mitigations=what": BootOptions(spectre_v2=False),
    "nospectre_v2": BootOptions(spectre_v2=False),
    "nospectre-v2": BootOptions(),
    "spectre_v2=off": BootOptions(spectre_v2=False),
    "spectre_v2=off spectre_v2=auto": BootOptions(),
    "spectre_v2=retpoline": BootOptions(),
}


@pytest.mark.parametrize("text", CASES)
def test_options_are_read_as_the_kernel_reads_them(text: str) -> None:
    assert boot_options(text) == CASES[text]


def test_words_whose_values_the_kernel_does_not_take_are_named() -> None:
    line = "lockdown=bogus nomodule=what module.sig-enforce=maybe lockdown=integrity -- lockdown=x"

    assert ignored_words(line) == ("lockdown=bogus", "nomodule=what", "module.sig-enforce=maybe")
    assert ignored_words("quiet nomodule module_blacklist=a") == ()
