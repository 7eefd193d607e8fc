"""Put a file or link in its place at once, so that the place is never empty or half filled."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from lkm.errors import FileError


@contextlib.contextmanager
def written_beside(path: str) -> Iterator[str]:
    """Give another name in *path*'s folder to write to; what is written then takes its place.

    Where that fails *path* is left as it was, and nothing beside it. Raises ``FileError``.
    """
    beside = f"{path}.lkm-{os.getpid()}"
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise FileError.from_os("write", path, error) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)
