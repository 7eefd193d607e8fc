"""Fixtures that several rooms share: real kernels, and the tools they are compared with."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lkm.cache import Cache
from tests.builders.memory import settle_at_once
from tests.debian import CACHE, NotHere, a_kernel, kmod_tools

REQUIRED = frozenset(filter(None, os.environ.get("LKM_REQUIRE", "").split(",")))


def missing(kind: str, reason: str) -> None:
    """Skip for *reason*, or fail where LKM_REQUIRE names *kind*."""
    if kind in REQUIRED:
        pytest.fail(f"LKM_REQUIRE names {kind}, but {reason}")
    pytest.skip(reason)  # the machine lacks what the test compares with


@pytest.fixture(scope="session", autouse=True)
def _signals_end_programs() -> None:
    """Undo what a shell does for a job in the background: tests send these signals."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return a cache that remembers nothing yet."""
    return Cache(str(tmp_path / "cache"))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files count as settled at once."""
    settle_at_once(monkeypatch)


@pytest.fixture(scope="session")
def debian_root() -> Path:
    """Return a root folder that holds Debian's newest cloud kernel, as dpkg -x lays it out."""
    try:
        return a_kernel("linux-image-cloud-amd64")
    except NotHere as error:
        missing("debian", str(error))
        raise


@pytest.fixture(scope="session")
def debian_release(debian_root: Path) -> str:
    """Return the release of the kernel in ``debian_root``."""
    (tree,) = (debian_root / "lib/modules").iterdir()
    return tree.name


@pytest.fixture(scope="session")
def indexed_root(
    debian_root: Path, debian_release: str, kmod: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return a copy of ``debian_root`` (hard links) whose indexes Debian's depmod has written."""
    root = tmp_path_factory.mktemp("indexed")
    shutil.copytree(debian_root / "lib", root / "lib", copy_function=os.link, symlinks=True)
    if (debian_root / "boot").is_dir():
        shutil.copytree(debian_root / "boot", root / "boot", copy_function=os.link)
    depmod = [str(kmod.parent / "depmod"), "-b", str(root), debian_release]
    subprocess.run(depmod, check=True, capture_output=True)
    return root


@pytest.fixture(scope="session")
def kmod() -> Path:
    """Return Debian's kmod, beside which its tools lie by their own names."""
    try:
        return kmod_tools(CACHE / "kmod") / "kmod"
    except NotHere as error:
        missing("oracle", str(error))
        raise


@pytest.fixture(autouse=True)
def _a_clean_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Keep the user's own options, sandbox, cache and kernels out of every test."""
    for name in ("MODPROBE_OPTIONS", "KMOD_LOG", "MODPROBE_MODULE", "LKM_STATE"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path_factory.getbasetemp() / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("LKM_CACHE", str(tmp_path_factory.getbasetemp() / "lkm-cache"))
    monkeypatch.setenv("LKM_DATA", str(tmp_path_factory.getbasetemp() / "no-data"))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    yield
    shutil.rmtree(state, ignore_errors=True)
