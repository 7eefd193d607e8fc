"""Kernels that let signed modules in only: module.sig_enforce, and lockdown."""

from __future__ import annotations

from tests.builders.pkcs7 import DIGESTS, a_message, appended
from tests.outcomes.case import MODS, TAINT, Case, Step, debian, delete, do, iload, load, tiny
from tests.outcomes.patching import cut_signature, flipped, header, modinfo
from tests.outcomes.signing import by_digest, stranger

# Kernels log no more than ten refusals by lockdown in five seconds, and then how many they did not.
# Of the second level many are spent at boot: a call that nobody compares takes that line.
_BEFORE_CONFIDENTIAL = (*do("sleep 5000"), Step(op="raw nullargs /ko/u.ko", compared=False))
_FILES = {
    "u": tiny("tm_ok"),
    "c": debian("crc8", cut_signature),
    "k": tiny("tm_ok", lambda data: appended(data, a_message(stranger(data)))),
    "x": tiny("tm_ok", lambda data: appended(data, by_digest(data, "1.2.3.4.5"))),
    "p": tiny("tm_ok", lambda data: appended(data, b"x" * 20, record=bytes(8))),
    "b": debian("crc8", flipped(0x30)),
    "m": tiny("tm_ok", lambda data: appended(data, by_digest(data, DIGESTS["sha256"])[:-1])),
    "e": tiny("tm_ok", header("type", 3), modinfo("vermagic", None)),
    "s": debian("crc8"),
}
_STEPS = (
    *[load(name) for name in "ucbkpmx"],
    load("e"),
    load("s", flags=1),
    load("s", flags=3),
    iload("u"),
    MODS,
    load("s"),
    delete("crc8"),
    iload("s"),
    MODS,
    TAINT,
)


def on(id: str, command_line: str, *before: Step) -> Case:  # noqa: A002  # it is one
    """Return the case of a kernel with that command line, and what is done *before*."""
    return Case(
        id=f"signature-{id}",
        what="unsigned, unknown key, unsupported, damaged, changed, forced; and the kernel's own",
        files=_FILES,
        steps=(*before, *_STEPS),
        command_line=command_line,
    )


CASES = (
    on("enforced", "module.sig_enforce=1"),
    on("locked-integrity", "lockdown=integrity"),
    on("locked-confidentiality", "lockdown=confidentiality", *_BEFORE_CONFIDENTIAL),
    on("enforced-locked", "module.sig_enforce lockdown=integrity"),
)
