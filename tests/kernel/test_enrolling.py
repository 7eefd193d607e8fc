"""Certificates given to a sandbox kernel, and what it makes of modules signed by their keys."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from lkm.errors import FileError, FormatError, LkmError, UsageError
from lkm.kernel.enrolling import parse_certificates, read_enrolled
from lkm.kernel.sandbox import Sandbox
from lkm.loader.options import DEBIAN
from lkm.module.file import image_from_bytes
from tests.builders.elf import a_module
from tests.builders.pkcs7 import a_certificate, a_key, signed
from tests.cli.running import lkm
from tests.kernel.trees import IN_TREE, RELEASE, VERMAGIC, a_root

KEY = a_key("rsa1024")
CERTIFICATE = a_certificate(KEY, "Owner")


def pem(data: bytes) -> bytes:
    text = base64.encodebytes(data)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def test_certificates_are_read_in_der_and_in_pem() -> None:
    other = a_certificate(KEY, "Other")

    assert parse_certificates(CERTIFICATE.data) == (CERTIFICATE,)
    assert parse_certificates(b"text\n" + pem(CERTIFICATE.data) + pem(other.data)) == (
        CERTIFICATE,
        other,
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no certificate",
        CERTIFICATE.data[:-1],
        pem(CERTIFICATE.data)[:-30],
        pem(b""),
        pem(b"x"),
        pem(CERTIFICATE.data).replace(b"M", b"!"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(data)

    with pytest.raises(FormatError, match=f"^{path}: ") as caught:
        read_enrolled([str(path)], RELEASE, DEBIAN)
    assert "X.509" in caught.value.remedy


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        read_enrolled([str(tmp_path / "gone")], RELEASE, DEBIAN)


def test_a_certificate_that_the_kernel_would_not_take_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(CERTIFICATE.data)
    damaged[-1] ^= 1
    for name, data in (("damaged", bytes(damaged)), ("p256", a_certificate(a_key("p256")).data)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match="would not take this certificate"):
            read_enrolled([str(tmp_path / name)], RELEASE, DEBIAN)


def test_a_module_of_an_enrolled_key_is_signed_and_one_changed_is_rejected(tmp_path: Path) -> None:
    root = a_root(tmp_path / "root")
    (tmp_path / "c").write_bytes(pem(CERTIFICATE.data))
    with Sandbox(str(tmp_path / "state")) as sandbox:
        status = sandbox.boot(
            RELEASE,
            str(root),
            command_line="module.sig_enforce=1",
            certificates=[str(tmp_path / "c")],
        )
        module = a_module(name="own", vermagic=VERMAGIC, modinfo=IN_TREE)
        good = signed(module, KEY, CERTIFICATE)
        sandbox.insert(image_from_bytes(good, name="own"))
        with pytest.raises(LkmError, match="own"):
            sandbox.insert(image_from_bytes(good.replace(b"own", b"oth", 1), name="own"))

        assert status.enrolled == (CERTIFICATE,)
        assert [each.name for each in sandbox.modules()] == ["own"]
        assert "E" not in sandbox.status().taints


def test_the_command_enrols_and_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LKM_STATE", str(tmp_path / "state"))
    root, path = str(a_root(tmp_path / "root")), tmp_path / "c"
    path.write_bytes(CERTIFICATE.data)

    ran = lkm("sandbox", "boot", "--root", root, "--certificate", str(path))
    path.write_bytes(b"x")
    refused = lkm("sandbox", "boot", "--root", root, "--certificate", str(path))

    serial = CERTIFICATE.serial.hex(":").upper()
    shown = " ".join(ran.out.split())  # a long line is wrapped
    assert f"trusts: Owner {serial} (enrolled), others that are not known options:" in shown
    assert (refused.status, refused.out) == (3, "")
    assert str(path) in refused.err
