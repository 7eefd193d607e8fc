"""Rebuild the teaching kernel, all of it: ``python -m teaching [FOLDER]``.

Needs gcc and binutils for x86-64 (CC and LD name others). Without FOLDER the kernel that ships
in the package is replaced.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from teaching.building import build
from teaching.compiling import Tools
from teaching.recipe import FOLDER


def main() -> int:
    """Build into the folder named, or into the package."""
    package = FOLDER.parent / "src/lkm/teaching/root"
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else package
    with tempfile.TemporaryDirectory() as scratch:
        files = build(root, Tools.of_environment(), Path(scratch))
    print(f"{root}: {len(files)} files, {sum(file.stat().st_size for file in files)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
