"""The example runs to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.debian
def test_the_whole_path_is_walked_on_a_real_kernel(
    debian_root: Path, debian_release: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    subprocess.run(["cp", "-al", str(debian_root), str(root)], check=True)
    place = Path(sys.executable).parent
    done = subprocess.run(
        ["sh", str(ROOT / "examples/whole-path.sh"), str(root)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{place}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)},
    )

    # Of several softdep lines for one module, as Debian's kernels have them, -v tells.
    told = [line for line in done.stderr.splitlines() if "WARNING: of the softdep" not in line]
    assert (done.returncode, told) == (0, [])
    shown = done.stdout.split("$ lkm ")
    assert len(shown) == 13
    assert f"{debian_release}" in shown[1]
    assert "\nbtrfs " in shown[8]  # lsmod, after modprobe
    assert "\nbtrfs " not in shown[11]  # and after modprobe -r
