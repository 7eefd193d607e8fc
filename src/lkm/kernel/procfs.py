"""Parse and write the text of ``/proc/modules``.

One line a module, newest first::

    NAME SIZE REFCNT USERS STATE ADDRESS [(TAINTS)]

USERS is ``-``, or names each followed by a comma; among them ``[permanent],`` stands for a module
that cannot be removed. A kernel that cannot unload at all shows ``-`` as REFCNT.
Source: kernel/module/procfs.c, m_show and print_unload_info; kernel/module/tracking.c.
"""

from __future__ import annotations

from lkm.errors import FormatError
from lkm.kernel.loaded import COMING, GOING, LIVE, LoadedModule
from lkm.names import ModuleName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_STATES = {"Live": LIVE, "Loading": COMING, "Unloading": GOING}
_WORDS = {state: word for word, state in _STATES.items()}
_PERMANENT = "[permanent]"
_WHAT = "/proc/modules"


def parse_modules(text: str) -> tuple[LoadedModule, ...]:
    """Return the modules of *text*, in its order.

    Raises ``FormatError`` with the offset of the first line that is not whole.
    """
    modules: list[LoadedModule] = []
    offset = 0
    *lines, rest = text.split("\n")
    for line in lines:
        try:
            modules.append(_module(line))
        except ValueError as error:
            raise FormatError(_WHAT, str(error), offset=offset) from None
        offset += len(line) + 1
    if rest:
        raise FormatError(_WHAT, "cut off: a line without its end", offset=offset)
    return tuple(modules)


def modules_text(modules: Iterable[LoadedModule]) -> str:
    """Return what ``/proc/modules`` shows for *modules*, in their order."""
    return "".join([_line(module) for module in modules])


def _module(line: str) -> LoadedModule:
    """Return the module of one line; ``ValueError`` says what is wrong with it."""
    fields = line.split()
    if not 6 <= len(fields) <= 7:
        raise ValueError(f"a line of {len(fields)} fields instead of 6 or 7")
    name, size, refcnt, users, state, address = fields[:6]
    if state not in _STATES:
        raise ValueError(f"unknown state {state!r}")
    if not address.startswith("0x"):
        raise ValueError(f"no address: {address!r}")
    holders = [user for user in users.split(",") if user and user not in {"-", _PERMANENT}]
    return LoadedModule(
        name=ModuleName(name),
        size=int(size),
        refcnt=None if refcnt == "-" else int(refcnt),
        holders=tuple([ModuleName(holder) for holder in holders]),
        state=_STATES[state],
        address=int(address, 16) or None,
        taints=fields[6].strip("()+-") if len(fields) == 7 else "",
        permanent=_PERMANENT in users,
    )


def _line(module: LoadedModule) -> str:
    users = "".join([f"{holder}," for holder in module.holders])
    if module.permanent:
        users += f"{_PERMANENT},"
    refcnt = "-" if module.refcnt is None else str(module.refcnt)
    sign = {COMING: "+", GOING: "-"}.get(module.state, "")
    taints = f" ({module.taints}{sign})" if module.taints else ""
    return (
        f"{module.name} {module.size} {refcnt} {users or '-'} {_WORDS[module.state]} "
        f"0x{module.address or 0:016x}{taints}\n"
    )
