"""The table decoded from an image, line for line what that kernel prints when it runs."""

from __future__ import annotations

import hashlib

import pytest

from lkm.lab.setup import LabRequest
from lkm.vmlinux.image import KernelImage
from lkm.vmlinux.kallsyms import KernelSymbols, decode_kallsyms
from tests.lab.labs import a_kernel, run_in_lab
from tests.outcomes.kernels import RealKernel

pytestmark = [pytest.mark.lab, pytest.mark.debian]

# A serial port is slow, so the guest says hashes: of all, and of parts, which tell where they
# differ if they do. Lines with a module in brackets are not the kernel's own.
PART = 1 << 18
SCRIPT = f"""set -e
uname -r
grep -v '\\[' /proc/kallsyms > /tmp/own
wc -l < /tmp/own
size=$(stat -c %s /tmp/own)
at=0
while [ $((at * {PART})) -lt $size ]; do
    dd if=/tmp/own bs={PART} skip=$at count=1 2>/dev/null | sha256sum | cut -c 1-64
    at=$((at + 1))
done
"""


@pytest.fixture(params=["6.1", "6.12"])
def kernel(request: pytest.FixtureRequest) -> RealKernel:
    return a_kernel(str(request.param))


def test_every_line_is_what_the_running_kernel_prints(kernel: RealKernel) -> None:
    image = KernelImage.open(str(kernel.root / f"boot/vmlinuz-{kernel.release}"))
    symbols = decode_kallsyms(image)
    assert isinstance(symbols, KernelSymbols)
    text = symbols.as_text()

    said = run_in_lab(kernel, LabRequest(command=("sh", "-c", SCRIPT)))

    assert said.status == 0, said.err
    release, count, *hashes = said.out.splitlines()
    parts = [text[at : at + PART] for at in range(0, len(text), PART)]
    assert release == kernel.release
    assert int(count) == len(symbols) == text.count(b"\n") > 90_000
    wrong = [
        part[:200]
        for part, expected in zip(parts, hashes, strict=True)
        if hashlib.sha256(part).hexdigest() != expected
    ]
    assert wrong == []
