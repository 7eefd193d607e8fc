from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lkm.kernel.syscalls import LinuxSyscalls, finit_module_number
from tests.conftest import missing


@pytest.mark.parametrize(
    ("machine", "pointer_bytes", "number"),
    [
        ("x86_64", 8, 313),
        ("x86_64", 4, 350),
        ("i686", 4, 350),
        ("aarch64", 8, 273),
        ("aarch64", 4, 379),
        ("armv7l", 4, 379),
        ("ppc64le", 8, 353),
        ("s390x", 8, 344),
        ("riscv64", 8, 273),
        ("mips64", 8, 5307),
        ("toaster", 8, None),
    ],
)
def test_the_number_of_the_call_is_the_processors(
    machine: str, pointer_bytes: int, number: int | None
) -> None:
    assert finit_module_number(machine, pointer_bytes) == number


def test_the_running_kernel_answers_with_an_errno() -> None:
    # Nothing can come of these, whoever runs the tests and on whichever kernel.
    refusals = {-errno.EPERM, -errno.ENOSYS, -errno.ENOENT, -errno.ENOEXEC, -errno.EBADF}
    calls = LinuxSyscalls()

    assert calls.delete_module(b"lkm_no_such_module", os.O_NONBLOCK) in refusals
    assert calls.init_module(b"no module", b"") in refusals
    assert calls.finit_module(-1, b"", 0) in refusals


BY_NAME = """
#include <errno.h>
long finit_module(int fd, const char *params, int flags)
{
	errno = fd == 7 && params[0] == 'a' && flags == 3 ? EDOM : EINVAL;
	return -1;
}
"""
PROGRAM = """
from lkm.kernel.syscalls import LinuxSyscalls
print(LinuxSyscalls().finit_module(7, b"a=1", 3))
"""


@pytest.mark.oracle
def test_a_library_that_has_the_call_by_its_name_is_asked(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        missing("oracle", "there is no C compiler")
        return
    source, library = tmp_path / "call.c", tmp_path / "call.so"
    source.write_text(BY_NAME)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "LD_PRELOAD": str(library)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert int(done.stdout) == -errno.EDOM
