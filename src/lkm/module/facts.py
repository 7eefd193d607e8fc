"""The facts of one module file, each read when it is first asked for."""

from __future__ import annotations

from lkm.elf.file import ElfFile
from lkm.elf.notes import build_id_in
from lkm.errors import FormatError
from lkm.module import symbols
from lkm.module.file import FileSlices, ModuleImage, open_slices
from lkm.module.modinfo import parameters, parse_modinfo
from lkm.module.signature import read_signature
from lkm.names import module_name, module_name_of_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import cached_property as _remembered
    from types import TracebackType
    from typing import Final, Self

    from lkm.elf.file import Sliceable
    from lkm.module.modinfo import Entries, Parameter
    from lkm.module.signature import Signature
    from lkm.module.symbols import Export, Import, SymbolVersion
    from lkm.names import ModuleName
else:

    class _remembered:  # noqa: N801  # used as a decorator
        """A property computed once; functools is not imported on a drop-in's path.

        A ``FormatError`` on the way learns the module's path.
        """

        def __init__(self, function: Callable[[Module], object]) -> None:
            self.function = function
            self.name = function.__name__
            self.__doc__ = function.__doc__

        def __get__(self, module: Module | None, _owner: type[Module]) -> object:
            if module is None:
                return self
            try:
                value = module.__dict__[self.name] = self.function(module)
            except FormatError as error:
                if not module.path or error.path is not None:
                    raise
                raise error.at(module.path) from None
            return value


class Module:
    """One module file, of which only what is asked for is read.

    Every property but *path*, *name*, *compression* and *size_bytes* may raise ``FormatError``
    for a file that is not what it claims to be, and ``FileError``. As a context manager it
    closes the file at the end.
    """

    def __init__(self, image: ModuleImage, *, source: Sliceable | None = None) -> None:
        self.path: Final = image.path
        self.name: Final = image.name
        self.compression: Final = image.compression
        self._source: Sliceable = image.data if source is None else source

    @classmethod
    def open(cls, path: str) -> Module:
        """Open the module file at *path*; a plain one is then read in parts, as asked for.

        Raises ``FileError``, and for a wrapped one ``FormatError`` and ``MissingLibraryError``.
        """
        compression, source = open_slices(path)
        image = ModuleImage(module_name_of_path(path), b"", path, compression)
        return cls(image, source=source)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Module({self.path or self.name!r})"

    def close(self) -> None:
        """Close the file; what was read stays readable."""
        if isinstance(self._source, FileSlices):
            self._source.close()

    @property
    def size_bytes(self) -> int:
        """The size of the uncompressed module, its signature included."""
        return len(self._source)

    @_remembered
    def elf(self) -> ElfFile:
        """Return the module as an ELF file."""
        return ElfFile.from_bytes(self._source, what="module")

    @_remembered
    def modinfo(self) -> Entries:
        """Return the entries of ``.modinfo``, in file order; none without that section."""
        return parse_modinfo(self.elf.section_data(".modinfo") or b"")

    def values(self, key: str) -> tuple[str, ...]:
        """Return the value of every modinfo entry for *key*, in file order."""
        return tuple([value for entry_key, value in self.modinfo if entry_key == key])

    def value(self, key: str) -> str | None:
        """Return the value of the first modinfo entry for *key*."""
        return next((value for entry_key, value in self.modinfo if entry_key == key), None)

    @property
    def license(self) -> str | None:
        """The licence, such as ``GPL v2``; the kernel heeds the first."""
        return self.value("license")

    @property
    def vermagic(self) -> str | None:
        """The kernel's compatibility string, whole."""
        return self.value("vermagic")

    @property
    def version(self) -> str | None:
        """The author's own version text."""
        return self.value("version")

    @property
    def srcversion(self) -> str | None:
        """The checksum of the module's sources."""
        return self.value("srcversion")

    @property
    def aliases(self) -> tuple[str, ...]:
        """The alias patterns, dashes kept."""
        return self.values("alias")

    @property
    def firmware(self) -> tuple[str, ...]:
        """The firmware files that the module may ask for, relative to the firmware folders."""
        return self.values("firmware")

    @property
    def softdeps(self) -> tuple[str, ...]:
        """The soft dependencies, each as written (``pre: A B post: C``)."""
        return self.values("softdep")

    @property
    def weakdeps(self) -> tuple[str, ...]:
        """The weak dependencies, each as written."""
        return self.values("weakdep")

    @property
    def depends(self) -> tuple[ModuleName, ...]:
        """The direct dependencies that modpost wrote, in its order."""
        names = ",".join(self.values("depends")).split(",")
        return tuple([module_name(name) for name in names if name])

    @property
    def import_namespaces(self) -> tuple[str, ...]:
        """The symbol namespaces that the module imports."""
        return self.values("import_ns")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The declared parameters, in the order of their first mention."""
        return parameters(self.modinfo)

    @_remembered
    def exports(self) -> tuple[Export, ...]:
        """Return the symbols that the module offers, in the order of its export tables."""
        return symbols.exports(self.elf)

    @_remembered
    def imports(self) -> tuple[Import, ...]:
        """Return the undefined symbols, in the order of the symbol table."""
        return symbols.imports(self.elf)

    @_remembered
    def versions(self) -> tuple[SymbolVersion, ...]:
        """Return the CRCs that the module was built against, in file order."""
        return symbols.versions(self.elf)

    @_remembered
    def build_id(self) -> bytes | None:
        """Return the build id that the linker gave; None also where its note cannot be read."""
        elf = self.elf
        try:
            note = elf.section_data(".note.gnu.build-id")
        except FormatError:
            return None  # nothing but this needs it, as kmod knows
        return build_id_in(note or b"", elf.order)

    @_remembered
    def signature(self) -> Signature | None:
        """Return the signature appended to the module, read and not verified."""
        return read_signature(self._source)
