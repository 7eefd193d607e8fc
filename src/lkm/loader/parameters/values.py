"""Set a module's parameters from the text given at its insert, as the kernel's parser does.

Words are separated by blanks outside of double quotes. A word that is no good is logged, and the
rest is read on; the last errno is the answer. Source: lib/cmdline.c, next_arg; kernel/params.c;
lib/kstrtox.c; kernel/module/main.c, unknown_module_param_cb.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from lkm._text import decode, encode
from lkm.loader.facts import ASKING
from lkm.loader.findings import Finding, LogLine
from lkm.loader.parameters.debug_query import UnreadQueryError, debug_query_lines
from lkm.loader.parameters.declared import INTEGERS, Parameter, shown_number
from lkm.loader.parameters.truth import truth
from lkm.loader.taint import UNTAINTED, Taint

_CHARP_LIMIT = 1024
_BLANKS = " \t\n\v\f\r\xa0"
_OWN_CODE = "code of the module takes the value, and nobody here knows what it answers"

LOCKED_DOWN = "Lockdown: {}: unsafe module parameters is restricted; see man kernel_lockdown.7"
"""What a kernel that is locked down logs, at level 5, of a parameter of the hardware."""


@dataclass(slots=True)
class Setting:
    """Parameters on their way to being set: *now* has each by its name as declared."""

    now: dict[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a kernel makes of parameters: whether it has *dynamic_debug*, and is *locked_down*.

    Dynamic debugging takes the names that nobody knows (``dyndbg``). *asking* is the name of the
    process that asks, which the kernel logs where it is locked down.
    """

    dynamic_debug: bool = True
    locked_down: bool = False
    asking: str = ASKING


KERNEL = Conditions()
"""A kernel that is not locked down, with dynamic debugging."""


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
    conditions: Conditions = KERNEL,
) -> Iterator[Finding]:
    """Set what *given* names, one finding for each word that the kernel says something about.

    *module* is its name. What comes of it is left in *setting*.
    """
    setting.now = {parameter.name: parameter for parameter in declared}
    by_folded = {parameter.name.replace("-", "_"): parameter.name for parameter in declared}
    failed = False
    for name, value, behind in words(given):
        if name == "--" and value is None:
            rest = _text(_octets(given)[behind:])
            if not failed:
                text = f"{module}: parameters '{rest}' after `--' ignored"
                yield _finding(text, level=4)
            return
        known = by_folded.get(name.replace("-", "_"))
        if known is None:
            if conditions.dynamic_debug:
                yield from _unknown(module, name, value)
            else:
                yield from _unheard(module, name)
            continue
        for finding in _set(module, setting.now, (known, name, value), conditions):
            failed = failed or finding.refuses
            yield finding


def words(given: str) -> Iterator[tuple[str, str | None, int]]:
    """Yield name, value (None without ``=``) and the next one's place, for each word of *given*.

    The kernel splits bytes, and takes 0xA0 for a blank, which UTF-8 has inside of letters; places
    are in bytes.
    """
    for name, value, behind in _split(_octets(given)):
        yield _text(name), None if value is None else _text(value), behind


def _octets(text: str) -> str:
    """Return *text* with a character for each of its bytes."""
    return text if text.isascii() else encode(text).decode("latin-1")


def _text(octets: str) -> str:
    return octets if octets.isascii() else decode(octets.encode("latin-1"))


def _split(given: str) -> Iterator[tuple[str, str | None, int]]:
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


def _unknown(module: str, name: str, value: str | None) -> Iterator[Finding]:
    # Dynamic debugging, which is asked about it, cuts the name at its first dot.
    before, _dot, after = name.partition(".")
    if "dyndbg" in {name, after}:
        yield from _debug_query(value)
    elif name != "async_probe":
        yield _finding(f"{module}: unknown parameter '{before}' ignored", level=4)


def _debug_query(value: str | None) -> Iterator[Finding]:
    try:
        lines = [LogLine(3, line) for line in debug_query_lines("+p" if value is None else value)]
    except UnreadQueryError:
        evidence = f"dyndbg was given '{value}': whether the kernel complains is not known"
        yield Finding(check="parameter", evidence=evidence, could_not_tell=True)
        return
    if lines:
        evidence = f"dyndbg was given '{value}', which is no query; the module loads all the same"
        yield Finding(check="parameter", log=tuple(lines), evidence=evidence)


def _unheard(module: str, name: str) -> Iterator[Finding]:
    """Tell of a parameter that nobody knows, in a kernel without dynamic debugging."""
    if name == "dyndbg":
        yield _finding("dyndbg param is supported only in CONFIG_DYNAMIC_DEBUG builds", level=4)
    elif name != "async_probe":
        yield _finding(f"{module}: unknown parameter '{name}' ignored", level=4)


def _set(
    module: str,
    now: dict[str, Parameter],
    word: tuple[str, str, str | None],
    conditions: Conditions,
) -> Iterator[Finding]:
    known, name, value = word
    parameter = now[known]
    try:
        if value is None and parameter.takes_nothing is False:
            raise BadValueError(errno.EINVAL)
        if parameter.hardware and conditions.locked_down:
            yield _locked(module, name, value, conditions.asking)
            return
        if parameter.unsafe:
            text = f"Setting dangerous option {parameter.name} - tainting kernel"
            yield _finding(text, level=5, kernel_taint=Taint.UNSAFE_PARAMETER)
        if not parameter.type:
            evidence = f"{name} was given '{value or ''}': {_OWN_CODE}"
            yield Finding(check="parameter", evidence=evidence, could_not_tell=True)
            return
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
            remedy=f"{name} takes {_taken(parameter)}",
        )


def _locked(module: str, name: str, value: str | None, asking: str) -> Finding:
    text = f"{module}: `{value or ''}' invalid for parameter `{name}'"
    return Finding(
        check="parameter",
        errno=errno.EPERM,
        log=(LogLine(5, LOCKED_DOWN.format(asking)), LogLine(3, text)),
        evidence=f"{name} is about hardware, and the kernel is locked down",
        remedy="load it without that parameter, or boot without lockdown",
    )


def _described(parameter: Parameter) -> str:
    if not parameter.type:
        return "handled by the module's own code"
    if parameter.most:
        return f"an array of up to {parameter.most} values of type {parameter.type}"
    if parameter.type == "string":
        return f"a string of up to {max(parameter.buffer - 1, 0)} bytes"
    return f"of type {parameter.type}"


def _taken(parameter: Parameter) -> str:
    """Return what the parameter takes, or each value of an array."""
    kind = parameter.type
    if kind in INTEGERS:
        size, signed = INTEGERS[kind]
        bits = 8 * (size or parameter.word)
        lowest, highest = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        )
        article = "an" if kind == "int" else "a"
        told = f"{article} {kind}, {lowest} to {highest}"
    elif kind in {"charp", "string"}:
        most = _CHARP_LIMIT if kind == "charp" else max(parameter.buffer - 1, 0)
        told = f"a text of up to {most} bytes"
    elif kind == "bool_enable_only":
        told = "Y or N, and is not unset again"
    else:
        told = "Y or N"
    return f"up to {parameter.most} values, each {told}" if parameter.most else told


def _as_set(parameter: Parameter, value: str | None) -> Parameter:
    """Return *parameter* with *value*. Raises ``BadValueError``."""
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
            shown.append(shown_value(parameter, part, len(shown)))
        except BadValueError as bad:
            raise BadValueError(bad.errno, *bad.log, shown=first) from None
    values = (*shown, *(parameter.values or ())[len(shown) :])
    return replace(
        parameter, values=values, count=len(shown) if parameter.counted else parameter.most
    )


def shown_value(parameter: Parameter, value: str | None, number: int = 0) -> str:
    """Return what the parameter shows when it was set to *value*. Raises ``BadValueError``.

    Of an array it is the element of that *number*.
    """
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
    return _shown_truth(parameter, "1" if value is None else value, number)


def _shown_truth(parameter: Parameter, value: str, number: int) -> str:
    wanted = truth(value)
    if wanted is None:
        raise BadValueError(errno.EINVAL)
    before = (parameter.values or ())[number : number + 1]
    if parameter.type == "bool_enable_only" and not wanted and before == ("Y",):
        raise BadValueError(errno.EROFS)
    if parameter.type == "bint":
        return str(int(wanted))
    # An invbool stores the opposite, and shows the opposite of that.
    return "Y" if wanted else "N"


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


def _finding(text: str, *, level: int, kernel_taint: Taint = UNTAINTED) -> Finding:
    return Finding(
        check="parameter", log=(LogLine(level, text),), evidence=text, kernel_taint=kernel_taint
    )
