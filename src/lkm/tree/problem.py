"""What depmod says is wrong with a tree, and goes on after."""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Problem(Value):
    """What depmod says and goes on after. *level* is ``WARNING`` or ``ERROR``, *text* kmod's.

    For programs: *kind* is one word for all problems of a sort, *path* the file or folder that is
    to blame and *modules* the modules that are, where there are such. *index* names the index file
    that shows it; nobody is told of it where that file is not made. *symbol* is the one that a
    module needs, *crcs* the version that it needs it in, and the one that there is.
    """

    __slots__ = ("crcs", "index", "kind", "level", "modules", "path", "symbol", "text")

    def __init__(  # noqa: PLR0913  # one for each field
        self,
        level: str,
        text: str,
        *,
        kind: str,
        path: str = "",
        modules: tuple[str, ...] = (),
        index: str = "",
        symbol: str = "",
        crcs: tuple[int, int] | None = None,
    ) -> None:
        self.level: Final = level
        self.text: Final = text
        self.kind: Final = kind
        self.path: Final = path
        self.modules: Final = modules
        self.index: Final = index
        self.symbol: Final = symbol
        self.crcs: Final = crcs
