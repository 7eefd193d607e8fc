"""Parse and write the text of ``/proc/modules``.

One line a module, newest first::

    NAME SIZE REFCNT USERS STATE ADDRESS [(TAINTS)]

USERS is ``-``, or names each followed by a comma; among them ``[permanent],`` stands for a module
that cannot be removed. A kernel that cannot unload at all shows ``-`` as REFCNT.
Source: kernel/module/procfs.c, m_show and print_unload_info; kernel/module/tracking.c.
"""

from __future__ import annotations

from lkm.kernel.loaded import COMING, GOING, LIVE, UNKNOWN, LoadedModule
from lkm.names import ModuleName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_STATES = {"Live": LIVE, "Loading": COMING, "Unloading": GOING}
_WORDS = {state: word for word, state in (*_STATES.items(), ("Unknown", UNKNOWN))}
_PERMANENT = "[permanent]"


def parse_modules(text: str) -> tuple[LoadedModule, ...]:
    """Return the modules of *text*, in its order.

    The first word of a line is the module's name, and all that libkmod asks of it. Of the rest is
    taken what can be read: a size, a count of users or a state that cannot is 0, None, ``unknown``.
    """
    return tuple([_module(line.split()) for line in text.split("\n") if line.split()])


def modules_text(modules: Iterable[LoadedModule]) -> str:
    """Return what ``/proc/modules`` shows for *modules*, in their order."""
    return "".join([_line(module) for module in modules])


def _module(fields: list[str]) -> LoadedModule:
    name, size, refcnt, users, state, address, taints, *_ = [*fields, *[""] * 6]
    holders = [user for user in users.split(",") if user and user not in {"-", _PERMANENT}]
    return LoadedModule(
        name=ModuleName(name),
        size=_number(size) or 0,
        refcnt=_number(refcnt),
        holders=tuple([ModuleName(holder) for holder in holders]),
        state=_STATES.get(state, UNKNOWN),
        address=(_number(address, 16) or None) if address.startswith("0x") else None,
        taints=taints.strip("()+-") if taints.startswith("(") else "",
        permanent=_PERMANENT in users,
    )


def _number(text: str, base: int = 10) -> int | None:
    try:
        return int(text, base)
    except ValueError:
        return None


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
