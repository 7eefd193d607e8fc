"""Whether a module is as it must be to be found, and by which of its texts.

What thousands of files say is at hand as bytes, and all but a few of these modules are passed over
after a look for bytes that each one found must have; only then are texts made and compared.
"""

from __future__ import annotations

from lkm import _text
from lkm._value import Value
from lkm.module.modinfo import parameters
from lkm.tree.trie.fnmatch import fnmatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Final

    from lkm.module.facts import Module
    from lkm.module.modinfo import Entries
    from lkm.module.scanned import ScannedModule
    from lkm.names import ModuleName
    from lkm.tree.builtin import Builtin
    from lkm.tree.memory.columns import Part

    # Those of the texts that are as wanted.
    Choice = Callable[[Sequence[str]], Sequence[str]]

# With modversions a module names the layout of its struct besides the symbols that it needs.
_LAYOUT = "module_layout"


class Subject:
    """One module under examination; its file is opened where what is known of it does not do.

    *path* is that in the tree; *file* the module file's, empty for a built-in. *signer* is what is
    known of that, if anything: one text, or none for a file without a signature.
    """

    __slots__ = ("_module", "builtin", "file", "name", "path", "scanned", "signer")

    def __init__(
        self,
        name: ModuleName,
        path: str,
        file: str = "",
        *,
        builtin: Builtin | None = None,
        scanned: ScannedModule | None = None,
        signer: tuple[str, ...] | None = None,
    ) -> None:
        self.name: Final = name
        self.path: Final = path
        self.file: Final = file
        self.builtin: Final = builtin
        self.scanned: Final = scanned
        self.signer: Final = signer
        self._module: Module | None = None

    @property
    def module(self) -> Module:
        """The module file, opened."""
        if self._module is None:
            from lkm.module.facts import Module  # most questions open no file

            self._module = Module.open(self.file)
        return self._module

    def entries(self) -> Entries:
        """Return the modinfo."""
        if self.builtin is not None:
            return self.builtin.modinfo
        return self.module.modinfo if self.scanned is None else self.scanned.modinfo

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._module is not None:
            self._module.close()


class Test(Value):
    """One criterion about what a module says.

    *kind* is its name. *found* returns which of a module's texts are as wanted, none where it does
    not hold. Where it does, *piece* stands in that *part* of what a scan has of the file, there
    with *any_case* in small letters unless the letters are beyond ASCII; no part means all files.
    """

    __slots__ = ("any_case", "found", "kind", "part", "piece")

    def __init__(
        self,
        kind: str,
        found: Callable[[Subject], Sequence[str]],
        part: Part | None = None,
        piece: bytes = b"",
        *,
        any_case: bool = False,
    ) -> None:
        self.kind: Final = kind
        self.found: Final = found
        self.part: Final = part
        self.piece: Final = piece
        self.any_case: Final = any_case


def tests_of(wanted: Mapping[str, str]) -> list[Test]:
    """Return the tests for what is *wanted* of each kind, if anything; cheap ones first."""
    return [made(wanted[kind]) for kind, made in _TESTS.items() if wanted.get(kind)]


def holds(text: str, wanted: str) -> bool:
    """Tell whether *wanted* stands somewhere in *text*, or matches it as a pattern, case apart."""
    return bool(_among(wanted)([text]))


def is_same(text: str, wanted: str) -> bool:
    """Tell whether *text* is *wanted*, or is matched by it as a pattern."""
    return bool(_equal(wanted)([text]))


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _among(wanted: str) -> Choice:
    folded = wanted.casefold()
    if _is_glob(wanted):
        return lambda texts: [text for text in texts if fnmatch(text.casefold(), folded)]
    return lambda texts: [text for text in texts if folded in text.casefold()]


def _equal(wanted: str) -> Choice:
    if not _is_glob(wanted):
        return lambda texts: [wanted] if wanted in texts else []
    answers: dict[str, bool] = {}  # the same few symbols are needed by nearly all modules

    def matching(texts: Sequence[str]) -> list[str]:
        found = []
        for text in texts:
            if text not in answers:
                answers[text] = fnmatch(text, wanted)
            if answers[text]:
                found.append(text)
        return found

    return matching


def _piece(wanted: str) -> bytes:
    """Return bytes that stand in every text that is *wanted*."""
    if not _is_glob(wanted):
        return _text.encode(wanted)
    plain = wanted
    for character in "?[\\":
        plain = plain.partition(character)[0]
    return _text.encode(max(plain.split("*"), key=len))


def _in_modinfo(key: str) -> Callable[[str], Test]:
    def made(wanted: str) -> Test:
        choice, folded = _among(wanted), wanted.casefold()
        piece = _piece(folded) or key.encode()
        if _is_glob(folded) and _text.encode(folded).startswith(piece):
            piece = f"{key}=".encode() + piece

        def found(subject: Subject) -> Sequence[str]:
            return choice([value for each, value in subject.entries() if each == key])

        return Test(key, found, "modinfo", piece, any_case=True)

    return made


def _by_parameter(wanted: str) -> Test:
    wanted = wanted.replace("-", "_")
    choice = _equal(wanted)

    def found(subject: Subject) -> Sequence[str]:
        return choice([parameter.name for parameter in parameters(subject.entries())])

    return Test("parameter", found, "modinfo", _piece(wanted) or b"parm")


def _by_signer(wanted: str) -> Test:
    choice = _among(wanted)

    def found(subject: Subject) -> Sequence[str]:
        if subject.builtin is not None:
            return []
        if subject.signer is not None:
            return choice(subject.signer)
        signature = subject.module.signature
        return [] if signature is None else choice([signature.signer])

    return Test("signer", found)


def _by_export(wanted: str) -> Test:
    choice = _equal(wanted)

    def found(subject: Subject) -> Sequence[str]:
        if subject.builtin is not None:
            return []
        if subject.scanned is not None:
            there = choice(subject.scanned.exports)
            # A scan has not the order of the export tables, and without modversions it takes the
            # names of namespaces for symbols.
            if not there or (len(there) == 1 and _LAYOUT in subject.scanned.needs):
                return there
        return choice([export.name for export in subject.module.exports])

    return Test("exports", found, "exports", _piece(wanted))


def _by_need(wanted: str) -> Test:
    choice = _equal(wanted)

    def found(subject: Subject) -> Sequence[str]:
        if subject.builtin is not None:
            return []
        if subject.scanned is not None:
            # What only the versions name stands last: of modules that modpost made, the layout.
            needs = subject.scanned.needs
            needs = needs[:-1] if needs[-1:] == (_LAYOUT,) else needs
            if _LAYOUT not in needs:
                return choice(needs)
        return choice([need.name for need in subject.module.imports])

    return Test("needs", found, "needs", _piece(wanted))


_TESTS: Mapping[str, Callable[[str], Test]] = {
    "description": _in_modinfo("description"),
    "author": _in_modinfo("author"),
    "license": _in_modinfo("license"),
    "alias": _in_modinfo("alias"),
    "firmware": _in_modinfo("firmware"),
    "parameter": _by_parameter,
    "signer": _by_signer,
    "exports": _by_export,
    "needs": _by_need,
}
