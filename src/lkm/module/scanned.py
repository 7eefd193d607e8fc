"""What an index of a whole tree needs of each module file."""

from __future__ import annotations

from lkm import _text
from lkm._value import Value
from lkm.module.modinfo import parse_modinfo
from lkm.names import module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.module.modinfo import Entries
    from lkm.names import ModuleName

    # modinfo, exports, needs, CRCs of exports, CRCs of needs; see ScannedModule.
    Facts = tuple[bytes, bytes, bytes, tuple[int, ...], tuple[int, ...]]
    # Device, inode, size, and in nanoseconds mtime and ctime: one state of a file, as lkm.cache.
    Identity = tuple[int, int, int, int, int]


class ScannedModule(Value):
    """What depmod needs to know of one module file, as bytes; the properties are texts.

    *modinfo_bytes* is its ``.modinfo``. *export_names* and *need_names* are NUL-separated. *crcs*
    and *need_crcs* belong to *exports* and *needs*, 0 where there is none; both are empty where
    the scan was not asked for them.
    """

    __slots__ = (
        "crcs",
        "export_names",
        "modinfo_bytes",
        "need_crcs",
        "need_names",
        "path",
    )

    def __init__(
        self,
        path: str,
        modinfo_bytes: bytes = b"",
        export_names: bytes = b"",
        need_names: bytes = b"",
        crcs: tuple[int, ...] = (),
        need_crcs: tuple[int, ...] = (),
    ) -> None:
        self.path: Final = path
        self.modinfo_bytes: Final = modinfo_bytes
        self.export_names: Final = export_names
        self.need_names: Final = need_names
        self.crcs: Final = crcs
        self.need_crcs: Final = need_crcs

    @property
    def name(self) -> ModuleName:
        """The name of the module."""
        return module_name_of_path(self.path)

    @property
    def facts(self) -> Facts:
        """All that is known of the file besides its path."""
        return (
            self.modinfo_bytes,
            self.export_names,
            self.need_names,
            self.crcs,
            self.need_crcs,
        )

    @property
    def modinfo(self) -> Entries:
        """The (key, value) entries, in file order."""
        return parse_modinfo(self.modinfo_bytes)

    def values(self, key: str) -> list[str]:
        """Return the values of *key* in its modinfo, in file order."""
        found = self.modinfo_bytes
        wanted = key.encode()
        if wanted not in found:
            return []
        start = wanted + b"="
        return [
            _text.decode(entry[len(start) :])
            for entry in found.split(b"\0")
            if entry.startswith(start) or entry == wanted
        ]

    @property
    def exports(self) -> tuple[str, ...]:
        """The symbols that have a ``__crc_`` symbol, in table order.

        Where none has, the strings of ``__ksymtab_strings``.
        """
        return _texts(self.export_names)

    @property
    def needs(self) -> tuple[str, ...]:
        """The undefined symbols in table order, weak ones included, then what only versions name.

        The latter are in the order of ``__versions``.
        """
        return _texts(self.need_names)


def _texts(names: bytes) -> tuple[str, ...]:
    return tuple(_text.decode(names).split("\0")) if names else ()
