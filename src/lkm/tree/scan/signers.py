"""Who signed each module file of a tree.

A scan does not look for that: no index needs it. So it is read when it is first asked for, and
remembered by itself. Nothing is believed of a file whose identity has changed.
"""

from __future__ import annotations

from lkm.errors import LkmError
from lkm.module.file import FileSlices, open_slices
from lkm.module.quick_elf import identities_at, identity_at
from lkm.module.signature import Signatures
from lkm.tree.memory.tree_cache import TreeCache
from lkm.tree.scan.whole import on_all_cores

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lkm.cache import Cache
    from lkm.module.scanned import Identity
    from lkm.tree.scan.whole import Progress

    # None where it is not signed.
    _Row = tuple[Identity, str | None]

_KIND = "signers"


def signers_of(
    wanted: Sequence[str],
    everything: Iterable[str],
    directory: str,
    cache: Cache | None = None,
    on_progress: Progress | None = None,
) -> Mapping[str, str | None]:
    """Return by path the signer of each of the *wanted* module files that can be read.

    Empty where the signature does not tell, None where there is none. *everything* are all module
    files of the tree at *directory*: no others are remembered.
    """
    memory = TreeCache(cache, directory)
    remembered: Mapping[str, _Row] = memory.find(_KIND) or {}  # type: ignore[assignment]  # marshal's
    rows = {memory.outside(path): row for path, row in remembered.items()}
    there = [path for path in wanted if path in rows]
    found = {
        path: rows[path][1]
        for path, identity in zip(there, identities_at(there), strict=True)
        if identity == rows[path][0]
    }
    read = _read([path for path in wanted if path not in found], on_progress)
    found.update({path: signer for path, (_, signer) in read.items()})
    settled = {path: row for path, row in read.items() if memory.settled(row[0]) is not None}
    if settled:
        names: dict[str | None, str | None] = {}  # so that each name is written once
        rows.update(settled)
        values = {
            memory.inside(path): (rows[path][0], names.setdefault(rows[path][1], rows[path][1]))
            for path in everything
            if path in rows
        }
        memory.remember(_KIND, values)
    return found


def _read(paths: Sequence[str], on_progress: Progress | None) -> dict[str, _Row]:
    """Return which file each is and who signed it, without those that cannot be read."""
    signatures = Signatures()

    def read(numbers: list[int]) -> list[_Row | None]:
        return [_row(paths[number], signatures) for number in numbers]

    rows = zip(paths, on_all_cores(read, paths, on_progress), strict=True)
    return {path: row for path, row in rows if row is not None}


def _row(path: str, signatures: Signatures) -> _Row | None:
    identity = identity_at(path)  # taken first: if the file changes now, that one is of no use
    try:
        _compression, data = open_slices(path)
        try:
            signature = signatures.read(data)
        finally:
            if isinstance(data, FileSlices):
                data.close()
    except LkmError:
        return None
    return None if identity is None else (identity, signature.signer if signature else None)
