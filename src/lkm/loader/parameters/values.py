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
from lkm.loader.parameters.declared import INTEGERS, Parameter, shown_number
from lkm.loader.taint import Taint

_CHARP_LIMIT = 1024
# These set a parameter by being named alone.
_NO_ARGUMENT = frozenset({"bool", "bool_enable_only", "bint"})
# What every module takes, without declaring it.
_EVERYWHERE = frozenset({"async_probe", "dyndbg"})
# What a truth value begins with; see kstrtobool.
_TRUTHS: Mapping[str, bool] = {
    **dict.fromkeys("yt1", True),
    **dict.fromkeys("nf0", False),
}
_BLANKS = " \t\n\v\f\r\xa0"


@dataclass(slots=True)
class Setting:
    """Parameters on their way to being set: *now* has each by its name as declared."""

    now: dict[str, Parameter] = field(default_factory=dict)


class BadValueError(Exception):
    """The kernel's answer to a value: an errno, and what it logs before saying so."""

    def __init__(self, number: int, *log: str, shown: str | None = None) -> None:
        self.errno = number
        self.log = log
        self.shown = shown
        super().__init__(number)


def set_parameters(
    module: str,
    declared: Sequence[Parameter],
    given: str,
    setting: Setting,
    *,
    dynamic_debug: bool = True,
) -> Iterator[Finding]:
    """Set what *given* names, one finding for each word that the kernel says something about.

    *module* is its name. What comes of it is left in *setting*. *dynamic_debug* tells whether the
    kernel has dynamic debugging, which takes the names that nobody knows (``dyndbg``).
    """
    setting.now = {parameter.name: parameter for parameter in declared}
    by_folded = {parameter.name.replace("-", "_"): parameter.name for parameter in declared}
    failed = False
    for name, value, behind in words(given):
        if name == "--" and value is None:
            rest = given[behind:]
            if not failed:
                text = f"{module}: parameters '{rest}' after `--' ignored"
                yield _finding(text, level=4)
            return
        known = by_folded.get(name.replace("-", "_"))
        if known is None:
            yield from _unknown(module, name) if dynamic_debug else _unheard(module, name)
            continue
        for finding in _set(module, setting.now, known, name, value):
            failed = failed or finding.refuses
            yield finding


def words(given: str) -> Iterator[tuple[str, str | None, int]]:
    """Yield name, value (None without ``=``) and the next one's place, for each word of *given*."""
    at = _word_start(given, 0)
    while at < len(given):
        end = _word_end(given, at)
        word, at = given[at:end], _word_start(given, end)
        quoted = word.startswith('"')
        word = word[1:] if quoted else word
        equals = word.find("=", 1)  # a word that begins with it has no name before it
        if equals < 0:
            yield word.removesuffix('"') if quoted else word, None, at
            continue
        name, value = word[:equals], word[equals + 1 :]
        if value.startswith('"') or quoted:
            value = value.removeprefix('"') if not quoted else value
            value = value.removesuffix('"')
        yield name, value, at


def _word_start(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANKS:
        at += 1
    return at


def _word_end(text: str, at: int) -> int:
    inside = False
    while at < len(text) and (inside or text[at] not in _BLANKS):
        inside ^= text[at] == '"'
        at += 1
    return at


def _unknown(module: str, name: str) -> Iterator[Finding]:
    # Dynamic debugging, which is asked about it, cuts the name at its first dot.
    before, _dot, after = name.partition(".")
    if name not in _EVERYWHERE and after != "dyndbg":
        yield _finding(f"{module}: unknown parameter '{before}' ignored", level=4)


def _unheard(module: str, name: str) -> Iterator[Finding]:
    """Tell of a parameter that nobody knows, in a kernel without dynamic debugging."""
    if name == "dyndbg":
        yield _finding("dyndbg param is supported only in CONFIG_DYNAMIC_DEBUG builds", level=4)
    elif name != "async_probe":
        yield _finding(f"{module}: unknown parameter '{name}' ignored", level=4)


def _set(
    module: str, now: dict[str, Parameter], known: str, name: str, value: str | None
) -> Iterator[Finding]:
    parameter = now[known]
    try:
        if value is None and parameter.type and not _takes_nothing(parameter):
            raise BadValueError(errno.EINVAL)
        if parameter.unsafe:
            text = f"Setting dangerous option {parameter.name} - tainting kernel"
            yield _finding(text, level=5, kernel_taint=Taint.UNSAFE_PARAMETER)
        now[known] = _as_set(parameter, value)
    except BadValueError as bad:
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
    """Return *parameter* with *value*. Raises ``BadValueError``."""
    if not parameter.type:
        return parameter  # its own code takes it; who knows what it makes of it
    if not parameter.most:
        return replace(parameter, values=(shown_value(parameter, value),))
    parts = (value or "").split(",")
    first = parts[0]
    shown: list[str] = []
    for part in parts:
        if len(shown) == parameter.most:
            line = f"{parameter.name}: can only take {parameter.most} arguments"
            raise BadValueError(errno.EINVAL, line, shown=first)
        try:
            shown.append(shown_value(parameter, part))
        except BadValueError as bad:
            raise BadValueError(bad.errno, *bad.log, shown=first) from None
    values = (*shown, *(parameter.values or ())[len(shown) :])
    return replace(
        parameter, values=values, count=len(shown) if parameter.counted else parameter.most
    )


def shown_value(parameter: Parameter, value: str | None) -> str:
    """Return what the parameter shows when it was set to *value*. Raises ``BadValueError``."""
    kind = parameter.type
    if kind in INTEGERS:
        size, signed = INTEGERS[kind]
        return shown_number(kind, _number(value or "", 8 * (size or parameter.word), signed))
    if kind == "charp":
        if len(encode(value or "")) > _CHARP_LIMIT:
            raise BadValueError(errno.ENOSPC, f"{parameter.name}: string parameter too long")
        return value or ""
    if kind == "string":
        if len(encode(value or "")) >= parameter.buffer:
            line = f"{parameter.name}: string doesn't fit in {parameter.buffer - 1} chars."
            raise BadValueError(errno.ENOSPC, line)
        return value or ""
    truth = _truth("1" if value is None else value)
    if kind == "bint":
        return str(int(truth))
    # An invbool stores the opposite, and shows the opposite of that.
    return "Y" if truth else "N"


def _truth(text: str) -> bool:
    if text[:1].lower() in _TRUTHS:
        return _TRUTHS[text[:1].lower()]
    if text[:2].lower() in {"on", "of"}:
        return text[1].lower() == "n"
    raise BadValueError(errno.EINVAL)


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
        raise BadValueError(errno.EINVAL)
    # Python turns no more than some thousand decimal digits into a number.
    number = int(digits[:stop], base) if base != 10 or stop <= 20 else 1 << 64
    if number >= 1 << 64:
        raise BadValueError(errno.ERANGE)
    if digits[stop:] not in {"", "\n"}:
        raise BadValueError(errno.EINVAL)
    number = -number if negative else number
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not lowest <= number <= highest:
        raise BadValueError(errno.ERANGE)
    return number


def _finding(text: str, *, level: int, kernel_taint: Taint = Taint(0)) -> Finding:  # noqa: B008  # a constant
    return Finding(
        check="parameter", log=(LogLine(level, text),), evidence=text, kernel_taint=kernel_taint
    )
