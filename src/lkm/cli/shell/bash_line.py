"""bash's command line, which it hands over as it was typed."""

from __future__ import annotations


def words_at(line: str, point: int) -> tuple[list[str], int]:
    """Return the words of *line* without their quotes, and which of them the cursor is in.

    That one ends at the cursor, which is *point* characters from the start. An open quote is
    taken as closed there.
    """
    # One letter more makes a word of the cursor's place, whatever stands before it.
    before = _split(line[:point] + "x")
    before[-1] = before[-1][:-1]
    behind = line[point:]
    rest = behind.lstrip(" \t")
    if rest == behind:
        # The cursor is within a word: what is left of it is not another one.
        rest = behind.partition(" ")[2]
    return [*before, *_split(rest)], len(before) - 1


def cut_at_break(word: str, breaks: str) -> str:
    """Return what of *word* stands before, and with, the last of the characters *breaks*.

    bash cuts words there (``--on=`` and ``sandbox``), and puts a candidate behind it.
    """
    cuts = [word.rfind(each) for each in breaks if each in "=:"]
    return word[: max(cuts, default=-1) + 1]


def _split(text: str) -> list[str]:
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    letters = iter(text)
    for letter in letters:
        if letter == "\\" and quote != "'":
            word = [*(word or []), next(letters, "")]
        elif quote:
            if letter == quote:
                quote = ""
            else:
                word = [*(word or []), letter]
        elif letter in "\"'":
            quote, word = letter, word or []
        elif letter in " \t":
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = [*(word or []), letter]
    if word is not None:
        words.append("".join(word))
    return words
