"""Set a module's parameters from the text given at its insert, as the kernel's parser does.

Words are separated by blanks outside of double quotes. A word that is no good is logged, and the
rest is read on; the last errno is the answer. Source: lib/cmdline.c, next_arg; kernel/params.c;
lib/kstrtox.c; kernel/module/main.c, unknown_module_param_cb.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lkm._text import encode
from lkm.loader.findings import Finding, LogLine
from lkm.loader.parameters import INTEGERS, Parameter, shown_number
from lkm.loader.taint import Taint

_CHARP_LIMIT = 1024
# These set a parameter by being named alone.
_NO_ARGUMENT = frozenset({"bool", "bool_enable_only", "bint"})
# What every module takes, without declaring it.
_EVERYWHERE = frozenset({"async_probe", "dyndbg"})
_BLANKS = " \t\n\v\f\r\xa0"


@dataclass(slots=True)
class Setting:
    """Parameters on their way to being set: *now* has each by its name as declared."""

    now: dict[str, Parameter] = field(default_factory=dict)


class _BadValueError(Exception):
    """The kernel's answer to a value: an errno, and what it logs before saying so."""

    def __init__(self, number: int, *log: str, shown: str | None = None) -> None:
        self.errno = number
        self.log = log
        self.shown = shown
        super().__init__(number)


def set_parameters(
    module: str, declared: Sequence[Parameter], given: str, setting: Setting
) -> Iterator[Finding]:
    """Set what *given* names, one finding for each word that the kernel says something about.

    *module* is its name. What comes of it is left in *setting*.
    """
    setting.now = {parameter.name: parameter for parameter in declared}
    by_folded = {parameter.name.replace("-", "_"): parameter.name for parameter in declared}
    failed = False
    for name, value, rest in words(given):
        if name == "--" and value is None:
            if rest and not failed:
                text = f"{module}: parameters '{rest}' after `--' ignored"
                yield _finding(text, level=4)
            return
        known = by_folded.get(name.replace("-", "_"))
        if known is None:
            yield from _unknown(module, name)
            continue
        for finding in _set(module, setting.now, known, name, value):
            failed = failed or finding.refuses
            yield finding


def words(given: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield name, value (None without ``=``) and all that follows, for each word of *given*."""
    rest = given.lstrip(_BLANKS)
    while rest:
        word, rest = _next_word(rest)
        rest = rest.lstrip(_BLANKS)
        quoted = word.startswith('"')
        word = word[1:] if quoted else word
        equals = word.find("=", 1)  # a word that begins with it has no name before it
        if equals < 0:
            yield word.removesuffix('"') if quoted else word, None, rest
            continue
        name, value = word[:equals], word[equals + 1 :]
        if value.startswith('"') or quoted:
            value = value.removeprefix('"') if not quoted else value
            value = value.removesuffix('"')
        yield name, value, rest


def _next_word(text: str) -> tuple[str, str]:
    inside = False
    for at, letter in enumerate(text):
        if letter in _BLANKS and not inside:
            return text[:at], text[at + 1 :]
        if letter == '"':
            inside = not inside
    return text, ""


def _unknown(module: str, name: str) -> Iterator[Finding]:
    # Dynamic debugging, which is asked about it, cuts the name at its first dot.
    before, _dot, after = name.partition(".")
    if name not in _EVERYWHERE and after != "dyndbg":
        yield _finding(f"{module}: unknown parameter '{before}' ignored", level=4)


def _set(
    module: str, now: dict[str, Parameter], known: str, name: str, value: str | None
) -> Iterator[Finding]:
    parameter = now[known]
    try:
        if value is None and parameter.type and not _takes_nothing(parameter):
            raise _BadValueError(errno.EINVAL)
        if parameter.unsafe:
            text = f"Setting dangerous option {parameter.name} - tainting kernel"
            yield _finding(text, level=5, kernel_taint=Taint.UNSAFE_PARAMETER)
        now[known] = _as_set(parameter, value)
    except _BadValueError as bad:
        shown = value or "" if bad.shown is None else bad.shown
        problem = "too large" if bad.errno == errno.ENOSPC else "invalid"
        text = f"{module}: `{shown}' {problem} for parameter `{name}'"
        lines = [LogLine(3, line) for line in (*bad.log, text)]
        yield Finding(
            check="parameter",
            errno=bad.errno,
            log=tuple(lines),
            evidence=f"{name} is {_described(parameter)}, and was given '{value or ''}'",
            remedy="see `lkm modinfo -p` for what its parameters take",
        )


def _described(parameter: Parameter) -> str:
    if parameter.most:
        return f"an array of up to {parameter.most} values of type {parameter.type}"
    if parameter.type == "string":
        return f"a string of up to {max(parameter.buffer - 1, 0)} bytes"
    return f"of type {parameter.type}"


def _takes_nothing(parameter: Parameter) -> bool:
    return not parameter.most and parameter.type in _NO_ARGUMENT


def _as_set(parameter: Parameter, value: str | None) -> Parameter:
    """Return *parameter* with *value*. Raises ``_BadValueError``."""
    if not parameter.type:
        return parameter  # its own code takes it; who knows what it makes of it
    if not parameter.most:
        return replace(parameter, values=(_shown(parameter, value),))
    parts = (value or "").split(",")
    first = parts[0]
    shown: list[str] = []
    for part in parts:
        if len(shown) == parameter.most:
            line = f"{parameter.name}: can only take {parameter.most} arguments"
            raise _BadValueError(errno.EINVAL, line, shown=first)
        try:
            shown.append(_shown(parameter, part))
        except _BadValueError as bad:
            raise _BadValueError(bad.errno, *bad.log, shown=first) from None
    values = (*shown, *(parameter.values or ())[len(shown) :])
    return replace(
        parameter, values=values, count=len(shown) if parameter.counted else parameter.most
    )


def _shown(parameter: Parameter, value: str | None) -> str:
    """Return what the parameter shows when it was set to *value*. Raises ``_BadValueError``."""
    kind = parameter.type
    if kind in INTEGERS:
        size, signed = INTEGERS[kind]
        return shown_number(kind, _number(value or "", 8 * (size or parameter.word), signed))
    if kind == "charp":
        if len(encode(value or "")) > _CHARP_LIMIT:
            raise _BadValueError(errno.ENOSPC, f"{parameter.name}: string parameter too long")
        return value or ""
    if kind == "string":
        if len(encode(value or "")) >= parameter.buffer:
            line = f"{parameter.name}: string doesn't fit in {parameter.buffer - 1} chars."
            raise _BadValueError(errno.ENOSPC, line)
        return value or ""
    truth = _truth("1" if value is None else value)
    if kind == "bint":
        return str(int(truth))
    # An invbool stores the opposite, and shows the opposite of that.
    return "Y" if truth else "N"


def _truth(text: str) -> bool:
    answers: Mapping[str, bool] = {"y": True, "1": True, "n": False, "0": False}
    if text[:1].lower() in answers:
        return answers[text[:1].lower()]
    if text[:2].lower() in {"on", "of"}:
        return text[1].lower() == "n"
    raise _BadValueError(errno.EINVAL)


def _number(text: str, bits: int, signed: bool) -> int:
    """Return the number that *text* is, by its prefix hexadecimal, octal or decimal."""
    negative = signed and text.startswith("-")
    digits = text[1:] if negative or text.startswith("+") else text
    base = 10
    if digits[:2] in {"0x", "0X"} and digits[2:3] and digits[2] in "0123456789abcdefABCDEF":
        base, digits = 16, digits[2:]
    elif digits.startswith("0"):
        base = 8
    allowed = "0123456789abcdef"[:base]
    stop = next((at for at, one in enumerate(digits) if one.lower() not in allowed), len(digits))
    if not stop:
        raise _BadValueError(errno.EINVAL)
    number = int(digits[:stop], base)
    if number >= 1 << 64:
        raise _BadValueError(errno.ERANGE)
    if digits[stop:] not in {"", "\n"}:
        raise _BadValueError(errno.EINVAL)
    number = -number if negative else number
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not lowest <= number <= highest:
        raise _BadValueError(errno.ERANGE)
    return number


def _finding(text: str, *, level: int, kernel_taint: Taint = Taint(0)) -> Finding:  # noqa: B008  # a constant
    return Finding(
        check="parameter", log=(LogLine(level, text),), evidence=text, kernel_taint=kernel_taint
    )
