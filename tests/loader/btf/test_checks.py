"""BTF of modules against a kernel's; what real kernels logged is in ``data/btf-answers.json``."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from lkm._text import encode
from lkm.loader.btf.checks import MISMATCH, btf
from lkm.loader.facts import KernelFacts
from lkm.loader.findings import Finding
from lkm.loader.options import KernelOptions
from lkm.module.file import ModuleImage, image_from_bytes, read_image
from lkm.vmlinux.btf import KernelBtf
from lkm.vmlinux.facts import read_facts
from tests.builders.btf import a_btf
from tests.builders.elf import ASection, a_module
from tests.conftest import missing
from tests.debian import NotHere, unpacked
from tests.loader.examining import facts_of

ANSWERS = json.loads((Path(__file__).parents[2] / "data/btf-answers.json").read_text())
NOT_ALLOWED = KernelOptions(module_allow_btf_mismatch=False)
SMALL = KernelBtf(9, frozenset(), b"\0int\0char\x001st\0")
BROKEN = ["FUNC - 2"]


def a_kernel(
    release: str = "6.1.0-56-amd64",
    types: KernelBtf | None = SMALL,
    *,
    options: KernelOptions | None = None,
) -> KernelFacts:
    return KernelFacts(release=release, btf=types, options=options or KernelOptions())


def an_image(data: bytes, *extra: ASection, flags: int = 0, name: str = "crc8") -> ModuleImage:
    section = ASection(".BTF", data, flags=flags)
    return image_from_bytes(a_module(name=name, extra=(section, *extra)), name=name)


def of(lines: list[str], kernel: KernelFacts) -> ModuleImage:
    assert kernel.btf is not None
    return an_image(a_btf(lines, len(kernel.btf.strings), kernel.btf.type_count + 1))


def found(image: ModuleImage, kernel: KernelFacts) -> list[Finding]:
    return list(btf(facts_of(image, kernel), kernel))


def shown(findings: list[Finding]) -> list[str]:
    lines = [f"{line.level} {line.text}" for finding in findings for line in finding.log]
    return ["".join([_shown(byte) for byte in encode(line)]) for line in lines]


def _shown(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}"


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_each_case_is_answered_as_a_real_kernel_answered_it(series: str) -> None:
    real = ANSWERS["kernels"][series]
    strings = b"\0int\0" + b"x" * (real["strings"] - 6) + b"\0"
    types = KernelBtf(real["types"], frozenset(), strings)
    kernel = replace(a_kernel(real["release"], types), btf_mismatch_told=True)
    different: list[tuple[str, list[str], list[str]]] = []
    for case in ANSWERS["cases"]:
        header: dict[str, int] = case.get("header", {})
        data = a_btf(case["types"], len(strings), real["types"] + 1, header)
        mine = shown(found(an_image(data), kernel))
        if mine != case[series]:
            different.append((case["id"], mine, case[series]))

    assert different == []
    assert len(ANSWERS["cases"]) >= 190


def test_where_mismatches_are_not_allowed_the_module_is_refused() -> None:
    kernel = a_kernel(options=NOT_ALLOWED)

    (finding,) = found(of(BROKEN, kernel), kernel)

    assert finding.errno == 22
    assert shown([finding])[0] == "3 BPF: [10] FUNC (anon) "
    assert shown([finding])[-1] == "4 failed to validate module [crc8] BTF: -22"


def test_a_later_kernel_that_does_not_allow_them_tells_all_of_it() -> None:
    kernel = a_kernel("6.12.117", options=NOT_ALLOWED)

    (finding,) = found(of(BROKEN, kernel), kernel)

    assert finding.errno == 22
    assert len(finding.log) == 6


def test_the_errno_is_the_one_of_what_is_wrong() -> None:
    kernel = a_kernel(options=NOT_ALLOWED)
    circle = [f"CONST - first+{number}" for number in range(1, 40)]

    (version,) = found(an_image(a_btf([], len(SMALL.strings), 10, {"version": 9})), kernel)
    (loop,) = found(of([*circle, "CONST - first"], kernel), kernel)

    assert (version.errno, loop.errno) == (524, 40)


def test_a_mismatch_is_told_once_by_later_kernels() -> None:
    kernel = a_kernel("6.12.117")

    first = found(of(BROKEN, kernel), kernel)
    second = found(of(BROKEN, kernel), replace(kernel, btf_mismatch_told=True))

    assert shown(first) == [f"4 {MISMATCH}"]
    assert shown(second) == []
    assert (bool(second[0].evidence), second[0].errno) == (True, 0)


def test_names_may_be_the_kernels_own() -> None:
    kernel = a_kernel()
    name = SMALL.strings.index(b"1st")

    good = found(of(["FUNC int 2"], kernel), kernel)
    bad = found(of([f"FUNC {name} 2"], kernel), kernel)
    tail = found(of([f"FUNC {name + 1} 2"], kernel), kernel)

    assert (good, tail) == ([], [])
    assert shown(bad)[0] == "3 BPF: [10] FUNC 1st "


def test_a_tag_of_the_kernel_behind_a_modifier_is_refused() -> None:
    tagged = a_kernel(types=KernelBtf(9, frozenset({5}), SMALL.strings))

    assert found(of(["CONST - 4"], tagged), tagged) == []
    assert shown(found(of(["CONST - 5"], tagged), tagged))[0] == (
        "3 BPF: Type tags don't precede modifiers"
    )


def test_a_module_without_types_is_not_looked_at() -> None:
    plain = image_from_bytes(a_module(name="crc8"), name="crc8")

    assert found(plain, a_kernel(types=None)) == []
    assert found(an_image(b""), a_kernel(types=None)) == []


def test_a_kernel_without_types_does_not_look() -> None:
    kernel = a_kernel(options=KernelOptions(debug_info_btf_modules=False))

    assert found(of(BROKEN, kernel), kernel) == []


@pytest.mark.parametrize(
    ("image", "kernel", "why"),
    [
        (an_image(b"x"), a_kernel(types=None), "types (BTF) are not known"),
        (an_image(b"x", flags=2), a_kernel(), "no data of the file"),
        (an_image(b"x", ASection(".BTF.base", b"y", flags=0)), a_kernel("6.12.1"), ".BTF.base"),
    ],
)
def test_what_cannot_be_told_is_said(image: ModuleImage, kernel: KernelFacts, why: str) -> None:
    (finding,) = found(image, kernel)

    assert finding.could_not_tell
    assert why in finding.evidence
    assert (finding.errno, finding.log) == (0, ())


def test_a_name_that_the_kernel_would_cut_is_not_guessed() -> None:
    kernel = a_kernel(types=KernelBtf(9, frozenset(), b"\0" + b"M" * 2000 + b"\0"))

    (finding,) = found(of(["FUNC 1 2"], kernel), kernel)

    assert finding.could_not_tell


def test_types_cut_anywhere_or_broken_are_findings_and_no_more() -> None:
    kernel = a_kernel()
    lines = ["STRUCT good 8 vlen=2 good 1 0 dot 1 32", "FUNC_PROTO - 1 vlen=1 good 3"]
    lines += ["FUNC good first+1", "ENUM good 4 vlen=1 good 7", "CONST - first"]
    whole = a_btf(lines, len(SMALL.strings), 10)
    source = random.Random(6)
    for size in range(1, len(whole)):
        assert len(found(an_image(whole[:size]), kernel)) == 1
    for _turn in range(1500):
        changed = bytearray(whole)
        changed[source.randrange(130)] = source.randrange(256)
        assert len(found(an_image(bytes(changed)), kernel)) <= 1
    assert found(an_image(whole), kernel) == []


@pytest.mark.debian
@pytest.mark.parametrize("release", ["6.1.0-56-amd64", "6.12.117+deb12-amd64"])
def test_a_distributions_own_modules_fit_its_kernel(release: str) -> None:
    try:
        root = unpacked(f"linux-image-{release}")
    except NotHere as reason:
        missing("debian", str(reason))
        raise
    types = read_facts(str(root / f"boot/vmlinuz-{release}")).btf
    assert isinstance(types, KernelBtf)
    kernel = a_kernel(release, types)
    paths = sorted((root / "lib/modules").rglob("*.ko*"))
    chosen = random.Random(1).sample(paths, 300)
    images = [read_image(str(path)) for path in chosen]

    assert [image.name for image in images if found(image, kernel)] == []
