"""lsmod's table and modinfo's lines, as kmod prints them. Source: formats of kmod 34."""

from __future__ import annotations

from lkm.module.modinfo import parameter_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from lkm.kernel.loaded import LoadedModule
    from lkm.module.modinfo import Entries
    from lkm.module.signature import Signature
    from lkm.tree.builtin import Builtin

    class Shown(Protocol):
        """What modinfo shows of a module file: a ``Module``, or what was read for this alone."""

        @property
        def modinfo(self) -> Entries:
            """Its entries."""

        @property
        def build_id(self) -> bytes | None:
            """Its build id."""

        @property
        def signature(self) -> Signature | None:
            """Its signature."""


_PARAMETER_KEYS = frozenset({"parm", "parmtype"})
SIGNATURE_KEYS = ("build-id", "sig_id", "signer", "sig_key", "sig_hashalgo", "signature")
_HEX_BYTES_IN_A_LINE = 20
# What lsmod prints where the kernel counts no users: -ENOENT, for the missing file.
_NO_COUNT = -2


def lsmod_table(modules: Iterable[LoadedModule]) -> str:
    """Return lsmod's output: name, size in bytes, users and who they are."""
    lines = ["Module                  Size  Used by"]
    for module in modules:
        count = _NO_COUNT if module.refcnt is None else module.refcnt
        holders = " " + ",".join(module.holders) if module.holders else ""
        lines.append(f"{module.name:<19} {module.size:8}  {count}{holders}")
    return "\n".join(lines) + "\n"


def modinfo_text(module: Shown, filename: str, *, end: str = "\n") -> str:
    r"""Return all that modinfo prints of a module file.

    *end* is a newline, or NUL for ``-0``, where entries become ``key=value``.
    """
    lines = [filename_line(filename)]
    lines += _entry_lines(all_entries(module), end)
    lines += [_padded("parm", text) for text in parameter_lines(module.modinfo)]
    return end.join(lines) + end


def builtin_text(builtin: Builtin, *, end: str = "\n") -> str:
    """Return all that modinfo prints of a module that is compiled into the kernel."""
    lines = [_padded("name", builtin.name), _padded("filename", "(builtin)")]
    lines += _entry_lines(builtin.modinfo, end)
    lines += [_padded("parm", text) for text in parameter_lines(builtin.modinfo)]
    return end.join(lines) + end


def filename_line(path: str) -> str:
    """Return modinfo's first line of a module file."""
    return _padded("filename", path)


def all_entries(module: Shown) -> list[tuple[str, str]]:
    """Return the modinfo entries and, after them, build id and signature, under modinfo's keys."""
    entries = list(module.modinfo)
    if module.build_id is not None:
        entries.append(("build-id", hex_text(module.build_id)))
    if module.signature is not None:
        entries += signature_entries(module.signature)
    return entries


def signature_entries(signature: Signature) -> list[tuple[str, str]]:
    """Return the five entries that modinfo makes of a signature."""
    return [
        ("sig_id", signature.id_type),
        ("signer", signature.signer),
        ("sig_key", hex_text(signature.key_id)),
        ("sig_hashalgo", signature.hash_algorithm),
        ("signature", hex_text(signature.signature)),
    ]


def parameter_lines(entries: Iterable[tuple[str, str]], *, as_field: bool = False) -> list[str]:
    """Return the ``parm:`` lines' values, last mentioned first, as the full listing has them.

    *as_field* as ``-p`` prints them: the same, save ``NAME: (TYPE)`` without a text.
    """
    lines = []
    for name, texts in reversed(parameter_texts(entries).items()):
        text, kind = texts.get("parm", ""), texts.get("parmtype", "")
        if "parmtype" in texts and ("parm" in texts or as_field):
            kind = f" ({kind})"
        lines.append(f"{name}:{text}{kind}")
    return lines


def hex_text(data: bytes) -> str:
    """Return bytes as modinfo shows them: upper case, colons, 20 to a line."""
    digits = data.hex(":").upper()
    width = 3 * _HEX_BYTES_IN_A_LINE
    if len(digits) < width:
        return digits
    return "\n\t\t".join([digits[start : start + width] for start in range(0, len(digits), width)])


def _entry_lines(entries: Iterable[tuple[str, str]], end: str) -> list[str]:
    # Of thousands of modules these are a hundred thousand lines.
    if end == "\0":
        return [f"{key}={value}" for key, value in entries if key not in _PARAMETER_KEYS]
    return [(key + ":").ljust(16) + value for key, value in entries if key not in _PARAMETER_KEYS]


def _padded(key: str, value: str) -> str:
    return f"{key + ':':<16}{value}"
