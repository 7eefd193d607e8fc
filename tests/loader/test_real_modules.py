"""Sizes and symbol lists of Debian's modules, as their kernels showed them once they were live."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lkm.loader.facts import KernelFacts
from lkm.loader.kallsyms import module_symbols
from lkm.loader.layout import layout
from lkm.module.file import read_image
from lkm.names import is_module_file, module_name_of_path
from tests.conftest import missing
from tests.debian import NotHere, unpacked
from tests.loader.examining import facts_of

SEEN = Path(__file__).parent.parent / "data"


@pytest.mark.debian
@pytest.mark.oracle
@pytest.mark.parametrize(
    ("release", "count"), [("6.1.0-56-amd64", 98), ("6.12.117+deb12-amd64", 105)]
)
def test_sizes_and_symbols_are_those_that_a_real_kernel_showed(release: str, count: int) -> None:
    try:
        root = unpacked(f"linux-image-{release}")
    except NotHere as reason:
        missing("debian", f"the kernel whose modules were recorded is not to be had: {reason}")
        raise
    document = json.loads((SEEN / f"modules-{release}.json").read_text())
    seen = {name: tuple(row) for name, row in document["modules"].items()}
    kernel = KernelFacts(release=release)
    got: dict[str, tuple[int, int, str]] = {}
    for path in (root / "lib/modules").rglob("*.ko*"):
        name = module_name_of_path(str(path))
        if name in seen and is_module_file(path.name):
            module = facts_of(read_image(str(path)), kernel)
            laid_out = layout(module, kernel.version)
            lines = [f"{each.type} {each.name}" for each in module_symbols(module, laid_out, {})]
            digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
            got[str(name)] = (laid_out.size, len(lines), digest)

    assert got == seen
    assert len(got) == count
