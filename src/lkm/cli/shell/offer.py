"""One candidate of a completion, and module names in the spelling that is being typed."""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final


class Candidate(Value):
    """A word that can stand at the cursor, and what it means, which may be empty.

    *is_path* tells that it names a file or, with a slash at its end, a folder.
    """

    __slots__ = ("description", "is_path", "text")

    def __init__(self, text: str, description: str = "", *, is_path: bool = False) -> None:
        self.text: Final = text
        self.description: Final = description
        self.is_path: Final = is_path

    def behind(self, start: str) -> Candidate:
        """Return the candidate with *start*, which stands in the same word, before it."""
        return Candidate(start + self.text, self.description)


def spelled(names: Iterable[str], typed: str) -> list[str]:
    """Return those of *names* that *typed* begins, dashes and underscores being equal to kmod.

    A shell takes only what begins with what was typed, so that part stays as it is. The rest has
    the dashes and underscores of the name itself; but where just one of the two was typed the
    rest has that one as well, so that nobody gets ``snd_hda-intel``.
    """
    wanted = typed.replace("-", "_")
    dashes, underscores = "-" in typed, "_" in typed
    found = []
    for name in names:
        if not name.replace("-", "_").startswith(wanted):
            continue
        rest = name[len(typed) :]
        if dashes and not underscores:
            rest = rest.replace("_", "-")
        elif underscores and not dashes:
            rest = rest.replace("-", "_")
        found.append(typed + rest)
    return found
