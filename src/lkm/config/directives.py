"""The directives of modprobe.d, as values that know where they were written."""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class Source(Value):
    """Where a directive stands: the file, and the line it begins on, counted from 1.

    Words of the kernel command line have line 0.
    """

    __slots__ = ("line", "path")

    def __init__(self, path: str, line: int) -> None:
        self.path: Final = path
        self.line: Final = line

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


class Alias(Value):
    """``alias PATTERN MODULE``: a word that matches *pattern* stands for *module*."""

    __slots__ = ("module", "pattern", "source")

    def __init__(self, pattern: str, module: str, source: Source) -> None:
        self.pattern: Final = pattern
        self.module: Final = module
        self.source: Final = source


class Blacklist(Value):
    """``blacklist MODULE``: aliases no longer load *module*."""

    __slots__ = ("module", "source")

    def __init__(self, module: str, source: Source) -> None:
        self.module: Final = module
        self.source: Final = source


class Options(Value):
    """``options MODULE TEXT``: *params* are handed over whenever *module* is inserted.

    *module* may also be an alias; then they count when the module is asked for by that alias.
    """

    __slots__ = ("module", "params", "source")

    def __init__(self, module: str, params: str, source: Source) -> None:
        self.module: Final = module
        self.params: Final = params
        self.source: Final = source


class Install(Value):
    """``install PATTERN COMMAND``: a shell command that runs instead of an insertion."""

    __slots__ = ("command", "pattern", "source")

    def __init__(self, pattern: str, command: str, source: Source) -> None:
        self.pattern: Final = pattern
        self.command: Final = command
        self.source: Final = source


class Remove(Value):
    """``remove PATTERN COMMAND``: a shell command that runs instead of a removal."""

    __slots__ = ("command", "pattern", "source")

    def __init__(self, pattern: str, command: str, source: Source) -> None:
        self.pattern: Final = pattern
        self.command: Final = command
        self.source: Final = source


class Softdep(Value):
    """``softdep PATTERN pre: A post: B``: words to load before and after, where they exist.

    The words of *pre* and *post* keep their dashes; they are aliases to look up.
    """

    __slots__ = ("pattern", "post", "pre", "source")

    def __init__(
        self, pattern: str, pre: tuple[str, ...], post: tuple[str, ...], source: Source
    ) -> None:
        self.pattern: Final = pattern
        self.pre: Final = pre
        self.post: Final = post
        self.source: Final = source


class Weakdep(Value):
    """``weakdep PATTERN A B``: modules that it may ask for while it runs. Only a hint."""

    __slots__ = ("modules", "pattern", "source")

    def __init__(self, pattern: str, modules: tuple[str, ...], source: Source) -> None:
        self.pattern: Final = pattern
        self.modules: Final = modules
        self.source: Final = source


class Complaint(Value):
    """Something left out of the result, and why.

    *text* is the logical line (or the word of the command line); *problem* says in lkm's words
    what is wrong with it; *kmod_text* is the line that kmod prints about it on stderr.
    """

    __slots__ = ("kmod_text", "problem", "source", "text")

    def __init__(self, source: Source, text: str, problem: str, kmod_text: str) -> None:
        self.source: Final = source
        self.text: Final = text
        self.problem: Final = problem
        self.kmod_text: Final = kmod_text

    @property
    def message(self) -> str:
        """*kmod_text* alone, without program, level and the library's function before it."""
        program, _, text = self.kmod_text.partition(": ERROR: ")
        return text.partition(": ")[2] if program == "libkmod" else text


if TYPE_CHECKING:
    Directive = Alias | Blacklist | Options | Install | Remove | Softdep | Weakdep
