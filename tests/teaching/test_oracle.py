"""The teaching kernel as kmod, binutils and OpenSSL see it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lkm.config.settings import Settings
from lkm.module.file import read_image
from lkm.names import module_name_of_path
from lkm.resolve.plan import as_modprobe_lines
from lkm.resolve.resolver import plan_load
from lkm.teaching import RELEASE
from lkm.tree.catalog import Catalog
from teaching.signing import teaching_key
from tests.cli.running import lkm
from tests.conftest import missing

pytestmark = pytest.mark.oracle

RECORD_SIZE, MAGIC_SIZE = 12, 28


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def copied(root: Path, kmod: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the root whose indexes kmod has written."""
    copy = tmp_path_factory.mktemp("copied") / "root"
    shutil.copytree(root, copy)
    for index in (copy / "lib/modules" / RELEASE).glob("modules.*"):
        if index.name not in {"modules.order", "modules.builtin", "modules.builtin.modinfo"}:
            index.unlink()
    run(kmod.parent / "depmod", "-b", copy, RELEASE)
    return copy / "lib/modules" / RELEASE


def test_modinfo_tells_the_same(files: tuple[Path, ...], kmod: Path) -> None:
    for file in files:
        theirs = run(kmod.parent / "modinfo", file)
        ours = lkm("modinfo", str(file)).out

        shown = "".join([line for line in _lines(ours) if not line.startswith("build-id:")])
        assert shown == theirs, file.name
        assert ours != shown


def test_depmod_writes_the_same_texts(tree: Path, copied: Path) -> None:
    theirs = sorted(copied.glob("modules.*"))
    texts = [path for path in theirs if not path.name.endswith(".bin")]

    assert len(texts) > 7
    for text in texts:
        assert (tree / text.name).read_bytes() == text.read_bytes(), text.name


def test_modprobe_would_do_the_same(
    tree: Path, files: tuple[Path, ...], kmod: Path, root: Path, tmp_path: Path
) -> None:
    catalog = Catalog.open(str(tree))
    settings = Settings.read(config_paths=[], tree_texts=catalog.config_texts())
    nothing = tmp_path / "modprobe.d"
    nothing.mkdir()
    words: list[str] = [module_name_of_path(str(file)) for file in files]
    words += ["fs-vfat", "crypto-aes", "aes", "pci:v00008086d00001229sv0sd0bc02sc00i0", "ext4"]

    for word in words:
        command = (kmod.parent / "modprobe", "-d", root, "-S", RELEASE, "-C", nothing, "-D", word)
        ours = plan_load(word, catalog, settings, show_all=True)
        assert list(as_modprobe_lines(ours)) == run(*command).splitlines(), word


def test_kmod_shows_the_exports_with_their_crcs(files: tuple[Path, ...], kmod: Path) -> None:
    modprobe = kmod.parent / "modprobe"
    for file in files:
        for option in ("--show-modversions", "--show-exports"):
            theirs = subprocess.run([modprobe, option, file], capture_output=True, check=False)
            ours = lkm("modprobe", option, str(file))
            assert ours.out.encode() == theirs.stdout, (option, file.name)


def test_readelf_has_no_complaint(files: tuple[Path, ...]) -> None:
    for file in files:
        run("readelf", "-aW", file)


def test_openssl_verifies_every_signature(files: tuple[Path, ...], tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        missing("oracle", "openssl is not installed")
    (tmp_path / "key.der").write_bytes(teaching_key().certificate)
    pem = tmp_path / "key.pem"
    run("openssl", "x509", "-inform", "DER", "-in", tmp_path / "key.der", "-out", pem)
    verified = 0
    for file in files:
        data = read_image(str(file)).data
        if not data.endswith(b"~Module signature appended~\n"):
            continue
        end = len(data) - MAGIC_SIZE - RECORD_SIZE
        start = end - int.from_bytes(data[end + 8 : end + RECORD_SIZE], "big")
        (tmp_path / "signature").write_bytes(data[start:end])
        (tmp_path / "module").write_bytes(data[:start])
        options = ["-binary", "-inform", "DER", "-in", "signature", "-content", "module"]
        trust = ["-certfile", pem.name, "-CAfile", pem.name, "-purpose", "any", "-out", "seen"]
        command = ["openssl", "cms", "-verify", *options, *trust]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (file.name, done.stderr)
        verified += 1

    assert verified == len(files) - 1


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
