"""Why a symbol is unknown, and who would export it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lkm.loader.facts import KernelFacts, KernelSymbol
from tests.loader.examining import a_clean_file, a_kernel, examined

OWNERS = {"a": ("one",), "b": ("two",), "c": ("one",)}


def asked(name: str) -> tuple[str, ...]:
    return OWNERS.get(name, ())


@pytest.mark.parametrize(
    ("imports", "remedy"),
    [
        (("a", "b", "c"), "load one, two first, as modprobe does"),
        (("nowhere",), "no module of this kernel's tree exports nowhere"),
        (
            ("a", "nowhere"),
            "load one first, as modprobe does; no module of this kernel's tree exports nowhere",
        ),
    ],
)
def test_the_last_refusal_names_who_would_export_them(
    imports: tuple[str, ...], remedy: str
) -> None:
    kernel: KernelFacts = replace(a_kernel(), exporters=asked)

    verdict = examined(a_clean_file(imports=imports, versions=None), kernel)

    assert verdict.refusal is not None
    assert verdict.refusal.remedy == remedy
    assert verdict.refusal.evidence == f"nobody exports {', '.join(imports)}"
    assert [line.text for line in verdict.log if "Unknown symbol" in line.text] == [
        f"tm: Unknown symbol {name} (err -2)" for name in imports
    ]


def test_a_proprietary_module_is_told_of_its_licence() -> None:
    names = ("a", "b", "c", "d")
    kernel = a_kernel(*[KernelSymbol(name=name, gpl_only=True) for name in names])
    data = a_clean_file(imports=names, versions=None, license="Prp")

    verdict = examined(data, kernel)

    assert verdict.refusal is not None
    assert verdict.refusal.evidence == (
        "its licence is 'Prp', and the kernel shows a, b, c and 1 more to GPL-compatible modules "
        "only"
    )
