"""What ``lkm sandbox status`` and ``boot`` print: which kernel it is, and what is in force."""

from __future__ import annotations

import textwrap

from lkm._text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lkm.kernel.sandbox_status import Status
    from lkm.vmlinux.certificates import Certificate

_NAME_COLUMNS = 14
_COLUMNS = 100
# Their blanks count: they are shown as they are.
_LITERAL = frozenset(
    {"root", "modules", "image", "command line", "exports", "config", "state file"}
)

# What a user may want to know of the configuration, in words; all options are in the document.
_ALLOWED = {
    "forced load": "MODULE_FORCE_LOAD",
    "unloading": "MODULE_UNLOAD",
    "forced unload": "MODULE_FORCE_UNLOAD",
}
_PRESENT = {
    "live patching": "LIVEPATCH",
    "symbol table": "KALLSYMS",
    "types of modules (BTF)": "DEBUG_INFO_BTF_MODULES",
}
_UNPACKING = {
    "gzip": "MODULE_COMPRESS_GZIP",
    "xz": "MODULE_COMPRESS_XZ",
    "zstd": "MODULE_COMPRESS_ZSTD",
}
_TOLD = (
    *_ALLOWED.values(),
    *_PRESENT.values(),
    "MODULE_DECOMPRESS",
    "MODULE_SIG",
    "MODULE_SIG_FORCE",
    "SECURITY_LOCKDOWN_LSM",
)


def status_text(status: Status) -> str:
    """Return the lines, each ``name: value``; sentences are wrapped where a word ends."""
    return "".join([_row(name, value) for name, value in _rows(status)])


def _row(name: str, value: str) -> str:
    first = f"{name}:".ljust(_NAME_COLUMNS)
    if name in _LITERAL:
        return f"{first}{printable(value)}\n"
    lines = textwrap.wrap(
        printable(value),
        width=_COLUMNS,
        initial_indent=first,
        subsequent_indent=" " * _NAME_COLUMNS,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines or [first.rstrip()]) + "\n"


def _rows(status: Status) -> Iterator[tuple[str, str]]:
    yield "release", status.release
    yield "root", status.root
    yield "modules", status.directory
    yield "image", status.image or "none read"
    yield "command line", status.command_line or "none"
    yield "vermagic", _vermagic(status)
    yield "exports", _exports(status)
    yield "config", status.config_source or "none found"
    yield "loading", _loading(status)
    yield "signatures", _signatures(status)
    yield "lockdown", status.locked_down or "none"
    yield "trusts", _trusts(status)
    yield "options", _options(status)
    assumed = [name for name in status.assumed_options if name in _TOLD]
    if assumed:
        yield "assumed", f"{', '.join(assumed)}: nothing tells, so they are as Debian has them"
    yield "loaded", f"{status.loaded} module{'' if status.loaded == 1 else 's'}"
    yield "tainted", f"{status.tainted} ({status.taints})" if status.tainted else "no"
    yield "state file", status.path
    for note in status.notes:
        yield "not known", note
    for each in status.doubts:
        yield "in doubt", f"{each.module} ({each.check}): {each.evidence}"


def _vermagic(status: Status) -> str:
    if status.vermagic_told:
        return f"{status.vermagic} (the image's)"
    if not status.vermagic:
        return "not known, and not compared"
    return f"{status.vermagic} (that of most of its modules)"


def _exports(status: Status) -> str:
    if status.assumed:
        return f"{status.exports}, assumed: what the tree's modules need and none offers"
    return f"{status.exports}, from {status.exports_source}"


def _loading(status: Status) -> str:
    if not status.options.modules:
        return "impossible: the kernel was built without modules"
    return f"disabled: {status.modules_disabled}" if status.modules_disabled else "allowed"


def _signatures(status: Status) -> str:
    if not status.options.module_sig:
        return "not looked at"
    if status.signatures_enforced:
        return f"enforced: {status.signatures_enforced}"
    if status.locked_down:
        return "enforced by the lockdown"
    return "looked at, not enforced"


def _trusts(status: Status) -> str:
    """Return whose signatures the kernel takes: subject and serial of the certificates."""
    own = [] if status.certificates is None else list(map(_certificate, status.certificates))
    named = [f"{_certificate(each)} (enrolled)" for each in status.enrolled]
    if status.certificates is None:
        named.append("others that are not known" if named else "not known")
    return ", ".join([*own, *named]) or "nobody"


def _certificate(certificate: Certificate) -> str:
    """Return its subject, and its serial as modinfo shows a ``sig_key``."""
    serial = certificate.serial.hex(":").upper()
    return f"{certificate.subject} {serial}".strip()


def _options(status: Status) -> str:
    """Return what matters of the configuration in words."""
    parts = [f"{word} {_said(status, name, 'allowed')}" for word, name in _ALLOWED.items()]
    parts.append(f"unpacks {_unpacked(status)}")
    parts += [f"{word} {_said(status, name, 'yes')}" for word, name in _PRESENT.items()]
    parts.append(f"CRCs {'compared' if status.modversions else 'not compared'}")
    return "; ".join(parts)


def _said(status: Status, name: str, word: str) -> str:
    on = bool(getattr(status.options, name.lower()))
    return word if on else {"allowed": "not allowed", "yes": "no"}[word]


def _unpacked(status: Status) -> str:
    """Return the compressions that the kernel itself takes."""
    if not status.options.module_decompress:
        return "nothing itself"
    found = [
        word for word, name in _UNPACKING.items() if bool(getattr(status.options, name.lower()))
    ]
    return ", ".join(found) or "nothing itself"
