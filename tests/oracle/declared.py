"""The declared differences: patterns that hold wherever they fit, and what single cases tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from tests.oracle.cases import Expected
from tests.oracle.modules import as_bytes
from tests.oracle.seen import Seen
from tests.oracle.world import HERE


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A declared difference: whose output (*of*: ``lkm`` or ``kmod``) is rewritten before the two
    are compared, in which stream (``out`` or ``err``), and how. In the stream ``line`` it is kmod's
    command line that is rewritten; in ``file`` a file of such a path does not count. Without a
    pattern it is one that cases declare whole.
    """

    id: str
    reason: str
    of: str = ""
    stream: str = ""
    pattern: str = ""
    becomes: str = ""

    def line(self, line: str) -> str:
        """Return the command line that makes kmod 30 do what *line* does today."""
        return re.sub(self.pattern, self.becomes, line) if self.stream == "line" else line

    def apply(self, what: Seen, program: str, told: Collection[str] = ()) -> Seen:
        """Return *what* *program* did, rewritten, but for the streams that a case has *told*."""
        if self.of != program or not self.pattern or self.stream in ("line", *told):
            return what
        if self.stream == "file":
            kept = {n: data for n, data in what.files.items() if not re.search(self.pattern, n)}
            return replace(what, files=kept)
        pattern, becomes = re.compile(self.pattern.encode(), re.MULTILINE), self.becomes.encode()
        if self.stream == "out":
            return replace(what, out=pattern.sub(becomes, what.out))
        return replace(what, err=pattern.sub(becomes, what.err))


DIFFERENCES: Sequence[Difference] = tuple(
    Difference(id=name, **table)
    for name, table in tomllib.loads((HERE / "differences.toml").read_text()).items()
)


def unused(used: Iterable[str]) -> list[str]:
    """Return the declared differences that are not among those *used* by a run of all cases."""
    return sorted({difference.id for difference in DIFFERENCES} - set(used))


def streams_of(told: Expected) -> tuple[str, ...]:
    """Return the streams of which the case tells what lkm says."""
    return tuple(
        stream
        for stream, said in (
            ("out", (told.out, told.out_like)),
            ("err", (told.err, told.err_like)),
        )
        if said != (None, None)
    )


def as_told(told: Expected, kmod: Seen, lkm: Seen) -> Seen:
    """Return *kmod*'s answer with all that the case tells of lkm's put into it.

    Where only a pattern or *other_files* is told, *lkm*'s own is taken if it fits.
    """
    files, modes = dict(kmod.files), dict(kmod.modes)
    for name, text in told.files.items():
        path = name.lstrip("/")
        files.pop(path, None)
        if isinstance(text, str):
            files[path] = _file(text, lkm.files.get(path))
            modes[path] = lkm.modes.get(path, "")
    for name in {*kmod.files, *lkm.files}:
        if any(re.search(pattern, f"/{name}") for pattern in told.other_files):
            files.pop(name, None)
            if name in lkm.files:
                files[name], modes[name] = lkm.files[name], lkm.modes[name]
    return Seen(
        status=kmod.status if told.status is None else told.status,
        out=_text(told.out, told.out_like, kmod.out, lkm.out),
        err=_text(told.err, told.err_like, kmod.err, lkm.err),
        calls=kmod.calls if told.calls is None else told.calls,
        files=files,
        modes=modes,
    )


def _text(text: str | None, like: str | None, kmod: bytes, lkm: bytes) -> bytes:
    if text is not None:
        return text.encode()
    if like is None:
        return kmod
    return lkm if re.fullmatch(like.encode(), lkm, re.DOTALL) else like.encode()


def _file(text: str, lkm: object) -> object:
    """Return what ``seen`` has of a file with this *text*; an index is told as its lines."""
    if not isinstance(lkm, tuple):
        return as_bytes(text)
    lines = (line.rpartition(" ") for line in text.splitlines())
    entries = ((*before.split(" ", 1), priority) for before, _, priority in lines)
    return tuple((key, value, int(priority)) for key, value, priority in entries)
