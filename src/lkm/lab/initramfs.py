"""Build the initramfs of a guest whose init is one static program: it needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lkm import cpio


def program_initramfs(init: bytes, extra: Iterable[cpio.Entry] = ()) -> bytes:
    """Return the archive for a guest whose init is the static program *init*.

    Its folders ``/proc``, ``/sys`` and ``/dev`` are empty until it mounts them.
    """
    return cpio.archive(
        [
            *(cpio.folder(name) for name in ("dev", "proc", "sys", "tmp")),
            cpio.character_device("dev/console", 5, 1),
            cpio.file("init", init, 0o755),
            *extra,
        ]
    )


def files_in(folder: str, files: Mapping[str, bytes]) -> tuple[cpio.Entry, ...]:
    """Return the entries of one *folder* with *files*, by name, in their order."""
    entries = [cpio.file(f"{folder}/{name}", data) for name, data in files.items()]
    return (cpio.folder(folder), *entries)
