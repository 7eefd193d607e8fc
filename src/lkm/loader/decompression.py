"""Unpack a file that the kernel is told to unpack itself."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lkm.loader.findings import Finding
from lkm.loader.given import COMPRESSED_FILE, GivenFile


def decompression(file: GivenFile) -> Iterator[Finding]:
    """Unpack the file, where the flag says that it is packed and the kernel can."""
    if file.flags & COMPRESSED_FILE and not file.kernel.options.module_decompress:
        yield Finding(
            check="decompression",
            errno=errno.EOPNOTSUPP,
            evidence="the kernel unpacks no modules (CONFIG_MODULE_DECOMPRESS is off)",
        )
