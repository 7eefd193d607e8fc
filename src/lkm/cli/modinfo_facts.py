"""What modinfo tells of one module, a file or a built-in: as text, and in a document."""

from __future__ import annotations

import os

from lkm.cli.console import NO_MODINFO
from lkm.errors import FileError, FormatError
from lkm.module.modinfo import parameters
from lkm.names import module_name_of_path
from lkm.report import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm.errors import LkmError
    from lkm.module.facts import Module
    from lkm.report.text import Shown
    from lkm.tree.builtin import Builtin


def file_values(module: Module, field: str) -> list[str]:
    """Return what ``modinfo -F`` prints of a module file."""
    must_be_a_module(module)
    return field_values(module, field)


def field_values(shown: Shown, field: str) -> list[str]:
    """Return what ``modinfo -F`` prints of a file in which there is what *shown* has."""
    if field == "parm":
        return text.parameter_lines(shown.modinfo, as_field=True)
    entries = text.all_entries(shown) if field in text.SIGNATURE_KEYS else shown.modinfo
    return [value for key, value in entries if key == field]


def builtin_values(builtin: Builtin, field: str) -> list[str]:
    """Return what ``modinfo -F`` prints of a built-in module."""
    if field == "parm":
        return text.parameter_lines(builtin.modinfo, as_field=True)
    own = [("name", builtin.name), ("filename", "(builtin)")]
    return [value for key, value in (*own, *builtin.modinfo) if key == field]


def must_be_a_module(module: Module) -> None:
    """Raise ``FormatError`` for an ELF file that is no kernel module."""
    if module.elf.section(".modinfo") is None:
        error = FormatError("module", NO_MODINFO, path=module.path)
        error.remedy = "it is some other ELF file, no kernel module"
        raise error


def described(subject: str | Builtin, field: str | None) -> dict[str, object]:
    """Return the JSON document's entry of a module file or built-in; with *field* only that."""
    from lkm.module.facts import Module
    from lkm.report.documents.modinfo import builtin_facts, field_facts, module_facts

    if not isinstance(subject, str):
        if field is not None:
            values = builtin_values(subject, field)
            return field_facts(subject.name, None, field, values, entries=subject.modinfo)
        return builtin_facts(subject, parameters(subject.modinfo))
    if field == "filename":
        return field_facts(module_name_of_path(subject), subject, field, [subject])
    with Module.open(subject) as module:
        must_be_a_module(module)
        if field is not None:
            return _described_field(module, subject, field)
        return module_facts(
            module,
            subject,
            compression=module.compression,
            size=_size(subject),
            uncompressed_size=module.size_bytes,
        )


def described_shown(shown: Shown, path: str, field: str | None) -> dict[str, object]:
    """Return what ``described`` does of an uncompressed file in which there is what *shown* has."""
    from lkm.report.documents.modinfo import module_facts

    if field is not None:
        return _described_field(shown, path, field)
    size = _size(path)
    return module_facts(shown, path, compression="", size=size, uncompressed_size=size)


def _described_field(shown: Shown, path: str, field: str) -> dict[str, object]:
    from lkm.report.documents.modinfo import field_facts

    return field_facts(
        module_name_of_path(path),
        path,
        field,
        field_values(shown, field),
        entries=shown.modinfo,
        signature=shown.signature if field == "signature" else None,
    )


def unreadable(subject: str | Builtin | None, error: LkmError) -> dict[str, object]:
    """Return the entry of *subject*, None for a word that stands for nothing, which has *error*."""
    from lkm.report.documents.modinfo import not_found_facts, unreadable_facts

    if subject is None:
        return not_found_facts(error)
    if isinstance(subject, str):
        return unreadable_facts(module_name_of_path(subject), subject, error)
    return unreadable_facts(subject.name, None, error)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError as problem:
        raise FileError.from_os("read", path, problem) from None
