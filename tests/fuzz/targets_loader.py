"""What reads parts of a module as the kernel does: signatures, types (BTF), parameters."""

from __future__ import annotations

import errno
import functools
import json
from dataclasses import replace
from pathlib import Path

from lkm._text import encode
from lkm.errors import LkmError
from lkm.loader.checks import examine
from lkm.loader.facts import KernelFacts
from lkm.loader.options import KernelOptions
from lkm.loader.parameters.declared import Parameter, declared_parameters
from lkm.loader.parameters.values import Setting, set_parameters
from lkm.loader.parameters.writing import write_parameter
from lkm.loader.signatures.asked_kernel import AskedKernel, RefusedError, UnverifiedError
from lkm.loader.signatures.certificate_rules import read_certificate
from lkm.loader.signatures.message_rules import read_message
from lkm.loader.signatures.trust import Keyring, verify_message
from lkm.module.file import image_from_bytes
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.certificates import parse_certificate
from tests.builders.btf import a_btf
from tests.builders.elf import ASection
from tests.fuzz import corpus
from tests.fuzz.inputs import ContradictionError, Input, Run, Target
from tests.fuzz.mutate import mutate_bytes, mutate_lines
from tests.fuzz.mutate_trees import mutate_der
from tests.loader.examining import a_file, a_kernel, facts_of
from tests.loader.parameter_modules import a_parameter_module

# The messages in it sign these bytes, by the certificates beside them.
SEEDS = Path(__file__).parent / "seeds"
_ANSWERS = Path(__file__).parents[1] / "data/btf-answers.json"
_SIGNED = b"what is signed"
TYPES = KernelBtf(9, frozenset(), b"\0int\0char\x001st\0")
_RELEASES = ("6.1.0-56-amd64", "6.12.117")
_PARAMETERS = (
    "num=3 unum=0x10 small=255 yes=n inv=Y hidden=-1 danger=7",
    'list=1,2,3 large=-0x7fffffffffffffff buffer=abc name="a b" two_words=ff',
    "num=99999999999 list=1,2,3,4,5 yes=maybe nosuch=1 x.dyndbg=+p async_probe -- rest",
)


def _seeds(kind: str) -> tuple[Input, ...]:
    return tuple(Input(path.name, path.read_bytes()) for path in sorted(SEEDS.glob(f"*.{kind}")))


@functools.cache
def _messages(real: bool) -> tuple[Input, ...]:
    return (*_seeds("p7"), *[each for each in corpus.messages(real) if len(each.data) < 1 << 14])


@functools.cache
def _certificates(real: bool) -> tuple[Input, ...]:
    return (*_seeds("cer"), *corpus.certificates(real))


def _trusting(release: str) -> KernelFacts:
    known = tuple([parse_certificate(each.data) for each in _seeds("cer")])
    return a_kernel(release=release, certificates=known)


def _verified(_folder: Path) -> Run:
    kernels = [_trusting(release) for release in _RELEASES]
    kernels.append(replace(kernels[0], certificates=None))

    def run(given: Input) -> str:
        return ", ".join([_answer(given.data, kernel) for kernel in kernels])

    return run


def _answer(message: bytes, kernel: KernelFacts) -> str:
    asked = AskedKernel(kernel)
    try:
        number = verify_message(read_message(message, asked), _SIGNED, Keyring(asked), asked)
    except RefusedError as error:
        number = error.errno
    except UnverifiedError:
        return "not known"
    except LkmError as error:
        return type(error).__name__
    if not number and kernel.certificates is None:
        raise ContradictionError("a signature is good by certificates that are not known")
    return errno.errorcode.get(number, "good")


def _certificate(_folder: Path) -> Run:
    kernels = [_trusting(release) for release in _RELEASES]

    def run(given: Input) -> str:
        answers = []
        for kernel in kernels:
            for trusted in (False, True):
                try:
                    read_certificate(given.data, AskedKernel(kernel), trusted=trusted)
                    answers.append("read")
                except LkmError as error:
                    answers.append(type(error).__name__)
        return min(answers)

    return run


@functools.cache
def _types(_real: bool) -> tuple[Input, ...]:
    size, first = len(TYPES.strings), TYPES.type_count + 1
    cases = json.loads(_ANSWERS.read_text())["cases"][::4]
    return tuple(
        Input(f"{at}.BTF", a_btf(case["types"], size, first, case.get("header", {})))
        for at, case in enumerate(cases)
    )


def _btf(_folder: Path) -> Run:
    strict = KernelOptions(module_allow_btf_mismatch=False)
    kernels = [
        a_kernel(release=release, btf=TYPES, options=options)
        for release in _RELEASES
        for options in (KernelOptions(), strict)
    ]

    def run(given: Input) -> str:
        image = image_from_bytes(a_file(extra=(ASection(".BTF", given.data, flags=0),)), name="tm")
        said = []
        for kernel in kernels:
            verdict = examine(image, kernel)
            said += [each.evidence[:40] for each in verdict.findings if each.check == "btf"]
            if verdict.errno and kernel.options is not strict:
                raise ContradictionError(f"refused with {verdict.errno}, though it may not fit")
        return said[0] if said else "it fits"

    return run


def _parameters(_folder: Path) -> Run:
    image = image_from_bytes(a_parameter_module(), name="tiny")
    kernel = KernelFacts(release="6.1.0")
    declared = declared_parameters(facts_of(image, kernel))

    def run(given: Input) -> str:
        text = given.data.decode("utf-8", "surrogateescape")
        setting = Setting()
        findings = list(set_parameters("tiny", declared, text, setting))
        for parameter in setting.now.values():
            _look_at(parameter)
            if parameter.type:
                _look_at(write_parameter(parameter, text).parameter)
        return f"errno {max([0, *[finding.errno for finding in findings]])}"

    return run


def _look_at(parameter: Parameter) -> None:
    if parameter.most and parameter.values is not None and parameter.count > parameter.most:
        raise ContradictionError(f"{parameter.name} has more elements than it has room for")
    if parameter.buffer and len(encode(parameter.text or "")) >= parameter.buffer:
        raise ContradictionError(f"{parameter.name} does not fit in its buffer")


def _texts(_real: bool) -> tuple[Input, ...]:
    return tuple(Input(f"{at}.txt", text.encode()) for at, text in enumerate(_PARAMETERS))


TARGETS = (
    Target(name="verify", seeds=_messages, mutate=mutate_der, prepare=_verified, cost=2),
    Target(name="trusted", seeds=_certificates, mutate=mutate_der, prepare=_certificate, cost=2),
    Target(name="module-btf", seeds=_types, mutate=mutate_bytes, prepare=_btf, cost=3),
    Target(name="insert-params", seeds=_texts, mutate=mutate_lines, prepare=_parameters),
)
