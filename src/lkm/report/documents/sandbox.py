"""The sandbox: which kernel it is, its log and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm._text import decode
from lkm.loader.options import OPTION_NAMES
from lkm.report.documents.loaded import loaded_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lkm.kernel.loaded import LoadedModule
    from lkm.kernel.sandbox_status import Status
    from lkm.loader.findings import LogLine
    from lkm.report.documents.writing import Document
    from lkm.vmlinux.certificates import Certificate


def sandbox_document(status: Status) -> Document:
    """Return what ``lkm sandbox status`` tells."""
    return {
        "schema": "lkm.sandbox/1",
        "release": status.release,
        "root": status.root,
        "directory": status.directory,
        "command_line": status.command_line,
        "image": status.image or None,
        "vermagic": status.vermagic,
        "vermagic_assumed": not status.vermagic_told,
        "config_source": status.config_source or None,
        "options": {
            **{name: bool(getattr(status.options, name.lower())) for name in OPTION_NAMES},
            "MODVERSIONS": status.modversions,
        },
        "options_assumed": list(status.assumed_options),
        "certificates": (
            None if status.certificates is None else list(map(_certificate, status.certificates))
        ),
        "certificates_enrolled": list(map(_certificate, status.enrolled)),
        "modules_disabled": bool(status.modules_disabled),
        "signatures_enforced": bool(status.signatures_enforced),
        "locked_down": bool(status.locked_down),
        "not_known": list(status.notes),
        "state_file": status.path,
        "exports": status.exports,
        "exports_source": status.exports_source or None,
        "exports_assumed": status.assumed,
        "loaded": status.loaded,
        "tainted": status.tainted,
        "taints": status.taints,
        "doubts": [
            {"module": each.module, "check": each.check, "evidence": each.evidence}
            for each in status.doubts
        ],
    }


def _certificate(certificate: Certificate) -> Document:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial.hex(":").upper(),
        "key_id": certificate.key_id.hex(":").upper() or None,
    }


def sandbox_reset_document() -> Document:
    """Return what ``lkm sandbox reset`` says: that it is done."""
    return {"schema": "lkm.sandbox-reset/1", "booted": False}


def sandbox_log_document(lines: Iterable[LogLine]) -> Document:
    """Return the sandbox kernel's log, oldest line first; *level* is printk's."""
    return {
        "schema": "lkm.sandbox-log/1",
        "lines": [{"level": line.level, "text": line.text} for line in lines],
    }


def sandbox_file_document(path: str, data: bytes, entries: tuple[str, ...] | None) -> Document:
    """Return a file of the sandbox's /proc or /sys, as text; *entries* are those of a folder."""
    return {
        "schema": "lkm.sandbox-file/1",
        "path": path,
        "kind": "file" if entries is None else "folder",
        "text": decode(data),
        "entries": None if entries is None else list(entries),
    }


def sandbox_module_document(name: str, module: LoadedModule | None) -> Document:
    """Return what finish, hold and release left of the module *name*; None where it is gone."""
    return {
        "schema": "lkm.sandbox-module/1",
        "name": name,
        "module": None if module is None else loaded_facts(module),
    }


def sandbox_written_document(path: str, data: bytes | None) -> Document:
    """Return what a file shows once it was written to; *data* is None where none may read it."""
    return {
        "schema": "lkm.sandbox-write/1",
        "path": path,
        "text": None if data is None else decode(data),
    }
