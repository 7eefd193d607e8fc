"""All facts of one kernel image in one value, read once and remembered.

``saved`` is how they are written to a file and read back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from lkm.cache import FileIdentity
from lkm.errors import FormatError
from lkm.vmlinux.answers import Answer, CouldNotTell, NotThere
from lkm.vmlinux.btf import KernelBtf, read_btf
from lkm.vmlinux.certificates import Certificate, read_certificates
from lkm.vmlinux.config import Config, read_config
from lkm.vmlinux.exports import KernelExport, read_exports
from lkm.vmlinux.image import KernelImage
from lkm.vmlinux.kallsyms import KernelSymbols, decode_kallsyms
from lkm.vmlinux.vermagic import read_vermagic

if TYPE_CHECKING:
    from lkm.cache import Cache

T = TypeVar("T")


class Later(Generic[T]):
    """A fact that is worked out when it is asked for, once."""

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute: Final = compute
        self._found: tuple[T] | None = None

    @property
    def value(self) -> T:
        """The fact. Raises ``FormatError`` where it was read from a file that is damaged."""
        if self._found is None:
            self._found = (self._compute(),)
        return self._found[0]


class VmlinuxFacts:
    """What is known of one kernel. Each fact that is not known says why.

    *release* and *banner* are None where the image has no banner, *machine* (the ELF number) where
    nothing tells it. *order* is ``"<"`` (little endian) or ``">"``. *struct_module_size* is the
    size in bytes of ``struct module``, *type_count* the number of types in the BTF.
    """

    def __init__(  # noqa: PLR0913  # as many facts
        self,
        *,
        release: str | None,
        banner: str | None,
        machine: int | None,
        is_64bit: bool,
        order: Literal["<", ">"],
        vermagic: Answer[str],
        struct_module_size: Answer[int],
        type_count: Answer[int],
        exports: Answer[tuple[KernelExport, ...]] | Later[tuple[KernelExport, ...]],
        kallsyms: Answer[KernelSymbols] | Later[KernelSymbols],
        config: Answer[Config] | Later[Config],
        certificates: Answer[tuple[Certificate, ...]] | Later[tuple[Certificate, ...]],
        btf: Answer[KernelBtf] | Later[KernelBtf],
    ) -> None:
        self.release: Final = release
        self.banner: Final = banner
        self.machine: Final = machine
        self.is_64bit: Final = is_64bit
        self.order: Final = order
        self.vermagic: Final = vermagic
        self.struct_module_size: Final = struct_module_size
        self.type_count: Final = type_count
        self._exports: Final = exports
        self._kallsyms: Final = kallsyms
        self._config: Final = config
        self._certificates: Final = certificates
        self._btf: Final = btf

    @property
    def exports(self) -> Answer[tuple[KernelExport, ...]]:
        """What the kernel itself exports, in the order in which it looks."""
        return self._exports.value if isinstance(self._exports, Later) else self._exports

    @property
    def kallsyms(self) -> Answer[KernelSymbols]:
        """The kernel's own symbols, as /proc/kallsyms shows them to root."""
        return self._kallsyms.value if isinstance(self._kallsyms, Later) else self._kallsyms

    @property
    def config(self) -> Answer[Config]:
        """The value of each configuration option that is named, by its name with ``CONFIG_``."""
        return self._config.value if isinstance(self._config, Later) else self._config

    @property
    def certificates(self) -> Answer[tuple[Certificate, ...]]:
        """The certificates that it trusts from the start."""
        stored = self._certificates
        return stored.value if isinstance(stored, Later) else stored

    @property
    def btf(self) -> Answer[KernelBtf]:
        """What the BTF of modules goes on from."""
        return self._btf.value if isinstance(self._btf, Later) else self._btf

    def replaced(
        self,
        *,
        exports: Answer[tuple[KernelExport, ...]] | None = None,
        kallsyms: Answer[KernelSymbols] | None = None,
        config: Answer[Config] | None = None,
        btf: Answer[KernelBtf] | None = None,
    ) -> VmlinuxFacts:
        """Return the same facts with those that are given, which came from elsewhere."""
        return VmlinuxFacts(
            release=self.release,
            banner=self.banner,
            machine=self.machine,
            is_64bit=self.is_64bit,
            order=self.order,
            vermagic=self.vermagic,
            struct_module_size=self.struct_module_size,
            type_count=self.type_count,
            exports=self._exports if exports is None else exports,
            kallsyms=self._kallsyms if kallsyms is None else kallsyms,
            config=self._config if config is None else config,
            certificates=self._certificates,
            btf=self._btf if btf is None else btf,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VmlinuxFacts) and self._all() == other._all()

    def __hash__(self) -> int:
        return hash((self.release, self.banner, self.machine))

    def _all(self) -> tuple[object, ...]:
        return (
            (self.release, self.banner, self.machine, self.is_64bit, self.order, self.vermagic),
            (self.struct_module_size, self.type_count, self.exports, self.kallsyms),
            (self.config, self.certificates, self.btf),
        )


def facts_of(image: KernelImage) -> VmlinuxFacts:
    """Return all facts of *image*, worked out now. A damaged table is a fact not known."""
    size, count, btf = _types(image)
    return VmlinuxFacts(
        release=image.release,
        banner=image.banner,
        machine=image.machine,
        is_64bit=image.is_64bit,
        order=image.order,
        vermagic=read_vermagic(image),
        struct_module_size=size,
        type_count=count,
        exports=_told(read_exports, image),
        kallsyms=_told(decode_kallsyms, image),
        config=read_config(image),
        certificates=read_certificates(image),
        btf=btf,
    )


def read_facts(path: str, *, cache: Cache | None = None) -> VmlinuxFacts:
    """Return all facts of the kernel image at *path*, remembered ones if *cache* has them.

    Raises ``FileError``, ``FormatError`` for what is no kernel image, and ``MissingLibraryError``.
    """
    from lkm.vmlinux.saved import load, save  # it knows these facts

    looked_ns = time.time_ns()
    identity = FileIdentity.of(path)
    if cache is None or identity is None:
        return facts_of(KernelImage.open(path))
    remembered = cache.find(_KIND, identity)
    if remembered is not None:
        try:
            return load(remembered)
        except FormatError:
            pass  # of another version of lkm: read the image again
    facts = facts_of(KernelImage.open(path))
    if FileIdentity.of(path) == identity:
        cache.remember(_KIND, identity, save(facts), looked_ns=looked_ns)
    return facts


# Counts up when an image may give other facts than before: what is remembered is then out of date.
_KIND = "vmlinux-3"


def _types(image: KernelImage) -> tuple[Answer[int], Answer[int], Answer[KernelBtf]]:
    """Return the size of struct module, the number of types, and what modules build on."""
    try:
        btf = read_btf(image)
        if isinstance(btf, NotThere):
            return CouldNotTell(btf.why), btf, btf
        if isinstance(btf, CouldNotTell):
            return btf, btf, btf
        size = btf.struct_size("module")
    except FormatError as error:
        return CouldNotTell(str(error)), CouldNotTell(str(error)), CouldNotTell(str(error))
    known = NotThere("the BTF has no struct module") if size is None else size
    return known, btf.type_count, btf.base


def _told(read: Callable[[KernelImage], T], image: KernelImage) -> T | CouldNotTell:
    try:
        return read(image)
    except FormatError as error:
        return CouldNotTell(str(error))
