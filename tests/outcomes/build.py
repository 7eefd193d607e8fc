"""Build the tiny modules of ``tinymods/`` against a kernel's headers, and the guest's agent.

What is built is kept in the tests' cache, under a name that the sources and the compiler decide.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.debian import CACHE, NotHere
from tests.outcomes.headers import compiler, headers

_HERE = Path(__file__).parent
_SOURCES = _HERE / "tinymods"
# Each folder is one run of modpost, which refuses two modules that export the same symbol.
_FOLDERS = ("main", "dup")
_SETTINGS = (
    # Some of the modules need symbols that nobody has, or do not import a namespace.
    "KBUILD_MODPOST_WARN=1",
    "CONFIG_MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS=y",
    # Debug information is most of the work and says nothing to the loader.
    "CONFIG_DEBUG_INFO=",
    "CONFIG_DEBUG_INFO_BTF=",
    "CONFIG_DEBUG_INFO_BTF_MODULES=",
)


class BuildFailedError(Exception):
    """The compiler or a tool of the kernel's refused; the text is what it said."""


def build(release: str) -> Mapping[str, bytes]:
    """Return every tiny module built for the kernel *release*, by its name (``tm_ok``).

    Raises ``NotHere`` where headers, make or compiler are missing, else ``BuildFailedError``.
    """
    folder = headers(release)
    program = compiler(folder)
    if not shutil.which("make"):
        raise NotHere("make is not installed (Debian: make)")
    version = _run([program, "--version"]).splitlines()[0]
    key = _hash([version, str(_SETTINGS), *_texts(_SOURCES)])
    kept = CACHE / f"tinymods-{release}-{key}"
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(prefix="tinymods-") as name:
            _keep(_make(folder, Path(name) / "src"), kept)
    return {path.stem: path.read_bytes() for path in sorted(kept.glob("*.ko"))}


def compiler_version(release: str) -> str:
    """Return what the compiler of the tiny modules calls itself; raises as ``build``."""
    return _run([compiler(headers(release)), "--version"]).splitlines()[0]


def agent() -> bytes:
    """Return the static program that is a guest's init; raises as ``build`` does."""
    if not shutil.which("gcc"):
        raise NotHere("gcc is not installed (Debian: gcc)")
    sources = _HERE / "agent"
    version = _run(["gcc", "--version"]).splitlines()[0]
    kept = CACHE / f"agent-{_hash([version, *_texts(sources)])}"
    if not kept.is_file():
        with tempfile.TemporaryDirectory(prefix="agent-") as name:
            made = Path(name) / "agent"
            words = ["-std=gnu11", "-Os", "-Wall", "-Wextra", "-Werror", "-static", "-s"]
            _run(["gcc", *words, "-o", str(made), *map(str, sources.glob("*.c"))])
            partial = CACHE / f"{kept.name}.{os.getpid()}.partial"
            CACHE.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(made, partial)
            partial.rename(kept)
    return kept.read_bytes()


def _make(folder: Path, sources: Path) -> list[Path]:
    shutil.copytree(_SOURCES, sources)
    jobs = f"-j{(os.cpu_count() or 1) * 2}"
    for part in _FOLDERS:
        command = ["make", "-s", jobs, "-C", str(folder), f"M={sources / part}", *_SETTINGS]
        _run([*command, "modules"])
    return [path for part in _FOLDERS for path in (sources / part).glob("*.ko")]


def _keep(modules: list[Path], kept: Path) -> None:
    """Copy *modules* to the folder *kept*, which has all of them or is not there."""
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for path in modules:
        # The kernel's name for a module has no dash, and cases name files by it.
        shutil.copyfile(path, partial / path.name.replace("-", "_"))
    try:
        partial.rename(kept)
    except OSError:  # another run was faster
        shutil.rmtree(partial)


def _texts(folder: Path) -> list[str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [f"{path.relative_to(folder)}\n{path.read_text()}" for path in files]


def _hash(texts: list[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _run(command: list[str]) -> str:
    # What a make around this one, or a user, has set is not for this build.
    names = ("PATH", "HOME", "TMPDIR")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment["LC_ALL"] = "C"
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise BuildFailedError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    for one in sys.argv[1:]:
        built = build(one)
        print(one, len(built), *built)
