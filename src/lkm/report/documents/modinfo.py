"""What module files say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lkm.config.directives import Softdep
from lkm.config.modprobe_d import parse
from lkm.module.modinfo import parameters
from lkm.names import module_name_of_path
from lkm.report.documents.writing import error_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lkm.errors import LkmError
    from lkm.module.modinfo import Parameter
    from lkm.module.signature import Signature
    from lkm.report.documents.writing import Document
    from lkm.report.text import Shown
    from lkm.tree.builtin import Builtin


def modinfo_document(modules: Sequence[Mapping[str, object]]) -> Document:
    """Return the modules asked for, in that order."""
    return {"schema": "lkm.modinfo/1", "modules": list(modules)}


def field_facts(
    name: str,
    path: str | None,
    field: str,
    values: Sequence[str],
    *,
    entries: Iterable[tuple[str, str]] = (),
    signature: Signature | None = None,
) -> dict[str, object]:
    """Return what ``modinfo -F`` says of one module; *path* is None for a built-in.

    The typed value is made from the texts, of parameters from all *entries*.
    """
    typed: dict[str, object] = {}
    if field == "parm":
        typed[field] = [_parameter(each) for each in parameters(entries)]
    elif field == "signature":
        typed[field] = None if signature is None else _signature(signature)
    elif field in _TYPES:
        typed[field] = _TYPES[field](values)
    return {
        "name": name,
        "path": path,
        "builtin": path is None,
        "fields": {field: list(values)},
        "typed": typed,
    }


def not_found_facts(error: LkmError) -> dict[str, object]:
    """Return what is known of a word that stands for no module: why."""
    return {"name": None, "path": None, "builtin": None, "error": error_facts(error)}


def unreadable_facts(name: str, path: str | None, error: LkmError) -> dict[str, object]:
    """Return what is known of a module whose facts could not be read: why."""
    return {"name": name, "path": path, "builtin": path is None, "error": error_facts(error)}


def module_facts(
    module: Shown, path: str, *, compression: str, size: int, uncompressed_size: int
) -> dict[str, object]:
    """Return one module file's facts; *size* is the file's, in bytes."""
    signature = module.signature
    fields = _grouped(module.modinfo)
    return {
        "name": module_name_of_path(path),
        "path": path,
        "builtin": False,
        "compression": compression or None,
        "size": size,
        "uncompressed_size": uncompressed_size,
        "fields": fields,
        "typed": _typed(fields),
        "parameters": [_parameter(parameter) for parameter in parameters(module.modinfo)],
        "build_id": None if module.build_id is None else module.build_id.hex(),
        "signature": None if signature is None else _signature(signature),
    }


def builtin_facts(builtin: Builtin, parameters: Sequence[Parameter]) -> dict[str, object]:
    """Return what is known of a module that is compiled into the kernel."""
    fields = _grouped(builtin.modinfo)
    return {
        "name": builtin.name,
        "path": None,
        "builtin": True,
        "compression": None,
        "size": None,
        "uncompressed_size": None,
        "fields": fields,
        "typed": _typed(fields),
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


def _typed(fields: Mapping[str, Sequence[str]]) -> dict[str, object]:
    return {key: kind(fields.get(key, ())) for key, kind in _TYPES.items()}


def _vermagic(values: Sequence[str]) -> dict[str, object] | None:
    """Return the release and the words behind it; the kernel heeds the first entry."""
    if not values:
        return None
    release, *flags = values[0].split() or [""]
    return {"release": release, "flags": flags}


def _names(values: Sequence[str]) -> list[str]:
    return [name for value in values for name in value.split(",") if name]


def _words(values: Sequence[str]) -> list[str]:
    return [word for value in values for word in value.split()]


def _softdeps(values: Sequence[str]) -> list[dict[str, object]]:
    """Return each soft dependency as modprobe reads it from modules.softdep."""
    read = [each for value in values for each in parse(f"softdep x {value}\n", "")]
    return [
        {"pre": list(each.pre), "post": list(each.post)}
        for each in read
        if isinstance(each, Softdep)
    ]


# The keys whose values are more than texts; of flags the kernel asks only whether they are there.
_TYPES: Mapping[str, Callable[[Sequence[str]], object]] = {
    "depends": _names,
    "softdep": _softdeps,
    "weakdep": _words,
    "vermagic": _vermagic,
    "intree": bool,
    "staging": bool,
    "livepatch": bool,
    "retpoline": bool,
}


def _parameter(parameter: Parameter) -> dict[str, object]:
    return {
        "name": parameter.name,
        "type": parameter.type or None,
        "description": parameter.description or None,
    }


def _signature(signature: Signature) -> dict[str, object]:
    return {
        "sig_id": signature.id_type,
        "signer": signature.signer,
        "sig_key": signature.key_id.hex(),
        "sig_hashalgo": signature.hash_algorithm,
        "signature": signature.signature.hex(),
    }


def symbols_document(kind: str, path: str, symbols: Sequence[tuple[str, int | None]]) -> Document:
    """Return symbols of a module file with their CRCs, null where the file gives none.

    *kind* is ``exports``, what the module offers, or ``modversions``, what it needs.
    """
    return {
        "schema": "lkm.symbols/1",
        "kind": kind,
        "path": path,
        "symbols": [
            {"name": name, "crc": None if crc is None else f"0x{crc:08x}"} for name, crc in symbols
        ],
    }
