"""What module files say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lkm.module.facts import Module
    from lkm.module.modinfo import Parameter
    from lkm.module.signature import Signature
    from lkm.report.documents.writing import Document
    from lkm.tree.builtin import Builtin


def modinfo_document(modules: Sequence[Mapping[str, object]]) -> Document:
    """Return the modules asked for, in that order."""
    return {"schema": "lkm.modinfo/1", "modules": list(modules)}


def field_facts(
    name: str, path: str | None, field: str, values: Sequence[str]
) -> dict[str, object]:
    """Return what ``modinfo -F`` says of one module; *path* is None for a built-in."""
    return {"name": name, "path": path, "builtin": path is None, "fields": {field: list(values)}}


def module_facts(module: Module, path: str) -> dict[str, object]:
    """Return one module file's facts."""
    signature = module.signature
    return {
        "name": module.name,
        "path": path,
        "builtin": False,
        "compression": module.compression or None,
        "fields": _grouped(module.modinfo),
        "parameters": [_parameter(parameter) for parameter in module.parameters],
        "build_id": None if module.build_id is None else module.build_id.hex(),
        "signature": None if signature is None else _signature(signature),
    }


def builtin_facts(builtin: Builtin, parameters: Sequence[Parameter]) -> dict[str, object]:
    """Return what is known of a module that is compiled into the kernel."""
    return {
        "name": builtin.name,
        "path": None,
        "builtin": True,
        "compression": None,
        "fields": _grouped(builtin.modinfo),
        "parameters": [_parameter(parameter) for parameter in parameters],
        "build_id": None,
        "signature": None,
    }


def _grouped(entries: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of each key, keys and values in file order, parameters left out."""
    fields: dict[str, list[str]] = {}
    for key, value in entries:
        if key not in ("parm", "parmtype"):
            fields.setdefault(key, []).append(value)
    return fields


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "type": parameter.type,
        "description": parameter.description,
    }


def _signature(signature: Signature) -> dict[str, object]:
    return {
        "id_type": signature.id_type,
        "signer": signature.signer,
        "key_id": signature.key_id.hex(),
        "hash_algorithm": signature.hash_algorithm,
        "signature": signature.signature.hex(),
    }


def symbols_document(path: str, symbols: Sequence[tuple[str, int | None]]) -> Document:
    """Return symbols of a module file with their CRCs, null where the file gives none."""
    return {
        "schema": "lkm.symbols/1",
        "path": path,
        "symbols": [
            {"name": name, "crc": None if crc is None else f"0x{crc:08x}"} for name, crc in symbols
        ],
    }
