"""The configuration as ``modprobe -c`` prints it."""

from __future__ import annotations

from lkm.config.directives import Alias, Blacklist, Install, Options, Remove, Softdep, Weakdep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lkm.config.directives import Directive
    from lkm.config.settings import Settings

_GROUPS = (Blacklist, Install, Remove, Alias, Options, Softdep, Weakdep)


def config_lines(settings: Settings) -> Iterator[str]:
    """Yield one line a directive, without newlines, grouped by kind as kmod groups them.

    kmod leaves out the blank between the two lists of a softdep, and so does this.
    """
    for group in _GROUPS:
        for directive in settings.directives:
            if isinstance(directive, group):
                yield _line(directive)


def _line(directive: Directive) -> str:  # noqa: PLR0911  # one for each kind
    if isinstance(directive, Blacklist):
        return f"blacklist {directive.module}"
    if isinstance(directive, Install):
        return f"install {directive.pattern} {directive.command}"
    if isinstance(directive, Remove):
        return f"remove {directive.pattern} {directive.command}"
    if isinstance(directive, Alias):
        return f"alias {directive.pattern} {directive.module}"
    if isinstance(directive, Options):
        return f"options {directive.module} {directive.params}"
    if isinstance(directive, Softdep):
        pre = "pre: " + " ".join(directive.pre) if directive.pre else ""
        post = "post: " + " ".join(directive.post) if directive.post else ""
        return f"softdep {directive.pattern} {pre}{post}"
    return f"weakdep {directive.pattern} {' '.join(directive.modules)}"
