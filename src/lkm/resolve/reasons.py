"""Why a step stands in a plan, and where its parameters come from. Data only."""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, Literal

    from lkm.config.directives import Source
    from lkm.resolve.lookup import Found

    Kind = Literal[
        "asked", "dependency", "pre softdep", "post softdep", "holder", "unused dependency"
    ]


class Origin(Value):
    """A piece of a module's parameters; *source* is None for the words of the command line."""

    __slots__ = ("source", "text")

    def __init__(self, text: str, source: Source | None) -> None:
        self.text: Final = text
        self.source: Final = source


class Reason(Value):
    """Why a step is there.

    *kind*: the user ``asked`` for it; or *module* (else "") has it as its ``dependency``, names it
    in a softdep before (``pre softdep``) or after (``post softdep``) itself, is used by it
    (``holder``), or was the last to need it (``unused dependency``). *word* is what was looked up,
    by the user's wish or the softdep's, and *found* how it led to the step's module; "" and None
    where the kernel or modules.dep told. *softdep* is where the soft dependency is written.
    """

    __slots__ = ("found", "kind", "module", "softdep", "word")

    def __init__(
        self,
        kind: Kind,
        module: str = "",
        *,
        word: str = "",
        found: Found | None = None,
        softdep: Source | None = None,
    ) -> None:
        self.kind: Final = kind
        self.module: Final = module
        self.word: Final = word
        self.found: Final = found
        self.softdep: Final = softdep
