"""What is asked about a whole kernel: words made from its own aliases, and a configuration."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from lkm.tree.catalog import Catalog

# Answers are told apart by this word, which an install line makes known and no tree has.
END = "lkm_end_of_answer"
_SENTINEL = f"install {END} {END}\n"
# Of each kind of line; more softdeps at random would lead from every module to most others.
_LINES = 60
_DIGITS = "0123456789ABCDEF"


def modaliases(catalog: Catalog, count: int, seed: int = 7) -> list[str]:
    """Return about *count* words: devices, symbols, names, built-ins' aliases, and misses."""
    source = random.Random(seed)
    patterns = [key for key, _, _ in catalog.all_aliases()]
    symbols = [key for key, _, _ in catalog.all_symbols()]
    builtin = [
        value for each in catalog.builtins() for key, value in each.modinfo if key == "alias"
    ]
    names = [entry.name for entry in catalog.entries()]
    words = [concrete(source, pattern) for pattern in _some(source, patterns, count * 6 // 10)]
    words += [concrete(source, pattern) for pattern in _some(source, builtin, count // 10)]
    words += [spoiled(source, word) for word in _some(source, words, count // 10)]
    words += _some(source, symbols, count // 20)
    words += _some(source, patterns, count // 40)  # a pattern as a word is a word like others
    words += [dashed(source, name) for name in _some(source, names, count // 20)]
    words += [
        f"{name}{tail}" for name in _some(source, names, count // 40) for tail in ("x", ".ko")
    ]
    words += ["nosuch", "a[b", "a]b", "symbol:", "symbol:nosuch", "pci:", ":", "*", "?", "[a]", "."]
    return [word for word in dict.fromkeys(words) if word and not word.startswith(("/", "./"))]


def _some(source: random.Random, words: Sequence[str], count: int) -> list[str]:
    return source.sample(words, min(count, len(words)))


def concrete(source: random.Random, pattern: str) -> str:
    """Return a word that *pattern* matches."""
    word = ""
    while pattern:
        character, pattern = pattern[0], pattern[1:]
        if character == "*":
            word += "".join(source.choice(_DIGITS) for _ in range(source.randrange(4)))
        elif character == "[":
            inside, _, pattern = pattern.partition("]")
            word += source.choice(inside.replace("-", "") or "-")
        else:
            word += "0" if character == "?" else character
    return word


def spoiled(source: random.Random, word: str) -> str:
    """Return *word* with one character changed, left out or put in."""
    place = source.randrange(len(word)) if word else 0
    new = source.choice(("", "x", word[place : place + 1] + "0"))
    return word[:place] + new + word[place + 1 :]


def dashed(source: random.Random, name: str) -> str:
    """Return *name* with some of its underscores as dashes."""
    return "".join(source.choice("-_") if character == "_" else character for character in name)


def write_configurations(folder: Path, catalog: Catalog) -> dict[str, Path]:
    """Write two modprobe.d into *folder*, an empty one and a made-up one; return them by name."""
    texts = {
        "empty": {"a.conf": ""},
        "made up": {
            "a.conf": "".join(_lines(catalog, random.Random(11))),
            # After the tree's own softdeps, which then win.
            "z.conf": "".join(_late_lines(catalog, random.Random(13))),
        },
    }
    for name, files in texts.items():
        directory = folder / name.replace(" ", "-")
        directory.mkdir()
        (directory / "0.conf").write_text(_SENTINEL)
        for file, text in files.items():
            (directory / file).write_text(text)
    return {name: folder / name.replace(" ", "-") for name in texts}


def made_up_words() -> list[str]:
    """Return the words that only the made-up configuration knows, and some beside them."""
    return [f"made-up:{number}{tail}" for number in range(_LINES) for tail in ("", "-more")]


def _lines(catalog: Catalog, source: random.Random) -> Iterator[str]:
    names = [entry.name for entry in catalog.entries()]
    builtins = [each.name for each in catalog.builtins()]
    patterns = [key for key, _, _ in catalog.all_aliases()]

    def one() -> str:
        return dashed(source, source.choice(names))

    for number in range(_LINES):
        yield f"alias made-up:{number}* {one()}\n"
        yield f"alias made[-u_]up:{number} {one()}\n"
        yield f'options {one()} first={number}  second="a b" third\n'
        yield f"options\t{one()}\tdebug={number}\n"
        yield f"options made-up:{number}* by_alias={number}\n"
        yield f"options {source.choice(patterns)} by_pattern={number}\n"
        yield f"blacklist {one()}\n"
        yield f"install {one()} /bin/echo $CMDLINE_OPTS  {number}\n"
        yield f"remove {one()} /bin/echo {number}\n"
        if number % 3:
            continue
        yield f"softdep {one()} pre: {one()} {one()} post: {source.choice(builtins)} {one()}\n"
        yield f"softdep {one()} post: made-up:{number} nosuch{number} {source.choice(patterns)}\n"
    yield f"alias {names[0]} {names[1]}\nalias {builtins[0]} {names[2]}\nalias nowhere nosuch\n"
    yield f"install {names[3][:4]}* by-pattern\nsoftdep {names[4][:4]}? pre: {names[5]}\n"
    yield f"softdep {builtins[1]} pre: {names[6]} post: {builtins[2]}\n"
    yield "options\n# a comment\n  # a bad one\nnonsense here\noptions \\\n continued a=1\n"


def _late_lines(catalog: Catalog, source: random.Random) -> Iterator[str]:
    names = [entry.name for entry in catalog.entries()]
    for name in _some(source, names, _LINES // 3):
        yield f"softdep {name} pre: {source.choice(names)}\noptions {name} late=1\n"
