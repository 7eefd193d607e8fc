from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.contract import Bench, KernelContract
from tests.kernel.images import a_known_sandbox
from tests.kernel.trees import a_sandbox, a_signed, an_image, module_file


class TestTheSandboxKeepsTheContract(KernelContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        sandbox, root = a_sandbox(tmp_path)
        wrong = a_signed("wrong", vermagic="6.1.0-test SMP mod_unload modversions ")
        return Bench(
            sandbox,
            module_file(root, "base"),
            module_file(root, "middle"),
            an_image(wrong),
            lambda: sandbox.read("/proc/kallsyms"),
        )


class TestTheSandboxOfAKnownKernelKeepsTheContract(KernelContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        sandbox, root = a_known_sandbox(tmp_path)
        wrong = a_signed("wrong", vermagic="6.1.0-test SMP mod_unload modversions ")
        return Bench(
            sandbox,
            module_file(root, "base"),
            module_file(root, "middle"),
            an_image(wrong),
            lambda: sandbox.read("/proc/kallsyms"),
        )
