"""What modinfo shows of the commonest of all module files, read in few system calls.

Those are the files that ``lkm.module.quick_elf`` knows. Whatever else there is gets no answer here,
and is read by the general way (``Module``), which also knows what is wrong with it.
"""

from __future__ import annotations

import os

from lkm._value import Value
from lkm.elf.notes import build_id_in
from lkm.module.modinfo import excess, parse_modinfo
from lkm.module.quick_elf import OPEN_FLAGS, ORDER, QuickElf
from lkm.module.signature import MAGIC, Signatures

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.module.facts import Module
    from lkm.module.modinfo import Entries
    from lkm.module.signature import Signature


class ShownFacts(Value):
    """What modinfo shows; as the attributes of ``Module`` of these names."""

    __slots__ = ("build_id", "modinfo", "signature")

    def __init__(
        self, modinfo: Entries, build_id: bytes | None, signature: Signature | None
    ) -> None:
        self.modinfo: Final = modinfo
        self.build_id: Final = build_id
        self.signature: Final = signature


class QuickReader:
    """Reads module files, and knows again whose signature it has seen.

    Unless it is to read the *whole* of them, build id and signature are left out.
    """

    def __init__(self, *, whole: bool = True) -> None:
        self._whole = whole
        self._signatures = Signatures()

    def facts(self, path: str) -> ShownFacts | None:
        """Return what modinfo shows of the file at *path*; None where it takes another way."""
        try:
            file = os.open(path, OPEN_FLAGS)
        except OSError:
            return None
        try:
            return self._facts(QuickElf(file))
        except (OSError, ValueError):
            return None  # as above
        finally:
            os.close(file)

    def facts_of(self, module: Module) -> ShownFacts:
        """Return the same of *module*, which was opened the other way. Raises ``FormatError``."""
        if not self._whole:
            return ShownFacts(module.modinfo, None, None)
        signature = self._signatures.read(module.elf.data)
        return ShownFacts(module.modinfo, module.build_id, signature)

    def _facts(self, elf: QuickElf) -> ShownFacts | None:
        data = elf.contents(b".modinfo\0")
        if data is None or excess(data):
            return None
        if not self._whole:
            return ShownFacts(parse_modinfo(data), None, None)
        note, tail = elf.contents(b".note.gnu.build-id\0"), elf.tail
        signature = None
        if tail.endswith(MAGIC):
            signature = self._signatures.read(tail)
            if signature is None:
                return None  # it may begin before the tail, or be none at all
        return ShownFacts(
            parse_modinfo(data), None if note is None else build_id_in(note, ORDER), signature
        )
