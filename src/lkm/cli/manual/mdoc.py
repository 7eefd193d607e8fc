"""Write mdoc, the language of manual pages. Source: mdoc(7), roff(7)."""

from __future__ import annotations

import re
from textwrap import wrap

_SENTENCE_END = re.compile(r"(?<=[a-z0-9)`'][.?!]) +(?=[A-Z])")
_TOKEN = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\](?:\.\.\.)?|\S+")
_REPEATED = re.compile(r"(\w+)\[=(\w+)\]\.\.\.")


def text_lines(text: str) -> list[str]:
    """Return prose as lines of mdoc; each sentence begins one."""
    lines = []
    for one in _SENTENCE_END.split(" ".join(text.split())):
        # Escaping makes some lines longer again.
        lines += [escaped(line) for line in wrap(one, 72, break_on_hyphens=False)]
    return lines


def escaped(text: str) -> str:
    """Return *text* so that roff shows it as it is.

    A dash that begins a word, or an option, stays the dash that can be typed.
    """
    text = text.replace("\\", "\\e")
    text = re.sub(r"(?<![\w\\])-+(?=[\w-])", lambda dashes: "\\-" * len(dashes[0]), text)
    return f"\\&{text}" if text.startswith((".", "'")) else text


def sentence(text: str) -> str:
    """Return a help text as a sentence."""
    ended = text if text.endswith(".") else f"{text}."
    # A word that only is right in small letters begins no option's help.
    return ended[:1].upper() + ended[1:]


def paragraphs(text: str) -> list[str]:
    """Return prose that may hold indented blocks; these stay as they are."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        rows = block.split("\n")
        if all(row.startswith("  ") for row in rows):
            lines += literal(rows)
            continue
        at = next((i for i, row in enumerate(rows) if row.startswith("  ")), len(rows))
        lines += ([".Pp"] if lines else []) + text_lines("\n".join(rows[:at]))
        if at < len(rows):
            lines += literal(rows[at:])
    return lines


def literal(rows: list[str]) -> list[str]:
    """Return *rows* as a block that is shown as it is."""
    shown = [escaped(row.removeprefix("  ").rstrip()) for row in rows]
    return [".Bd -literal -offset indent", *shown, ".Ed"]


def synopsis(usage: str) -> list[str]:
    """Return the words behind the command's name in a usage line as macros."""
    return [_synopsis_word(token) for token in _TOKEN.findall(_joined_choices(usage))]


def _joined_choices(usage: str) -> str:
    # argparse puts a blank before the dots of a word that repeats.
    joined = re.sub(r" \.\.\.(?=\]|$)", "...", usage.replace("] ...", "]..."))
    # It writes one or more as X [X...].
    return re.sub(r"(\S+) \[\1\.\.\.\]", r"\1...", joined)


def _synopsis_word(token: str) -> str:
    if token.startswith("["):
        inside = token.removesuffix("...").removeprefix("[").removesuffix("]")
        repeated = _REPEATED.fullmatch(inside)
        if repeated:
            name, value = repeated.groups()
            return f".Oo Ar {name} Ns Oo = Ns Ar {value} Oc Ns ... Oc"
        return ".Op " + " ".join(_word(each) for each in inside.split())
    return f".{_word(token)}"


def _word(word: str) -> str:
    dots = " ..." if word.endswith("...") else ""
    plain = word.removesuffix("...")
    if plain.startswith("-"):
        return f"Fl {plain[1:]}"
    if plain.startswith("{"):
        choices = plain.strip("{}").split(",")
        return " | ".join([f"Cm {choice}" for choice in choices])
    return f"Ar {plain}{dots}"
