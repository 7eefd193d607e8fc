r"""What ``lkm complete`` prints: the candidates, in the form that each shell wants.

A shell hands over the line while it is typed; nobody else calls this, and its form may change with
the scripts beside it.

    lkm complete bash POINT LINE WORDBREAKS      the line as bash has it, and where the cursor is
    lkm complete zsh  INDEX WORD...              the words, quotes taken away; INDEX is the one that
    lkm complete fish INDEX WORD...              the cursor is in, which ends at the cursor

For zsh and fish each line is a candidate, a tab, and what it means. For bash the first line is
``words`` or ``paths``, and each other one a candidate, without what stands before the last of its
word breaks, since bash does not replace that.

Whatever goes wrong there are no candidates: nothing may be written into the line being typed.
"""

from __future__ import annotations

from lkm._text import printable
from lkm.cli.shell.bash_line import cut_at_break, words_at
from lkm.errors import LkmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lkm.cli.shell.offer import Candidate


def answer(words: Sequence[str]) -> str:
    """Return what to print for the arguments of ``lkm complete``."""
    try:
        shell, number, *rest = words
        if shell == "bash":
            line, breaks = rest
            return _for_bash(int(number), line, breaks)
        return _with_meanings(_found(rest, int(number)))
    except (LkmError, OSError, ValueError, IndexError):
        return ""


def _found(words: Sequence[str], index: int) -> list[Candidate]:
    from lkm.cli.shell.candidates import complete

    # A name that holds a newline or a stray byte cannot be handed over line by line.
    return [each for each in complete(words, index) if each.text.isprintable() and each.text != ""]


def _for_bash(point: int, line: str, breaks: str) -> str:
    words, index = words_at(line, point)
    found = _found(words, index)
    if not found:
        return ""
    kept = len(cut_at_break(words[index], breaks))
    paths = all(each.is_path for each in found)
    # In its mode for file names bash itself adds the slash of a folder.
    texts = [each.text[kept:].rstrip("/") if paths else each.text[kept:] for each in found]
    return "\n".join(["paths" if paths else "words", *texts]) + "\n"


def _with_meanings(found: Sequence[Candidate]) -> str:
    return "".join([f"{each.text}\t{printable(each.description)}\n" for each in found])
