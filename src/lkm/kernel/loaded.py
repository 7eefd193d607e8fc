"""A module that is in a kernel."""

from __future__ import annotations

from lkm._value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from lkm.names import ModuleName

LIVE, COMING, GOING, UNKNOWN = "live", "coming", "going", "unknown"


class LoadedModule(Value):
    """One loaded module, as ``/proc/modules`` and ``/sys/module`` show it.

    *size* is in bytes. *refcnt* is None on a kernel that cannot unload modules, and -1 while the
    module is going. *holders* are the modules that use it, in the kernel's order: newest user
    first. *state* is ``live``, ``coming`` or ``going``, and ``unknown`` for a
    word that no kernel is known to say. *address* is None where the kernel hides
    it. *taints* are letters (``OE``). A *permanent* module has an init and no exit function and
    cannot be removed.
    """

    __slots__ = ("address", "holders", "name", "permanent", "refcnt", "size", "state", "taints")

    def __init__(  # noqa: PLR0913  # a value has the fields it has
        self,
        *,
        name: ModuleName,
        size: int,
        refcnt: int | None = 0,
        holders: tuple[ModuleName, ...] = (),
        state: str = LIVE,
        address: int | None = None,
        taints: str = "",
        permanent: bool = False,
    ) -> None:
        self.name: Final = name
        self.size: Final = size
        self.refcnt: Final = refcnt
        self.holders: Final = holders
        self.state: Final = state
        self.address: Final = address
        self.taints: Final = taints
        self.permanent: Final = permanent


def replaced(
    module: LoadedModule, *, size: int | None = None, hidden: bool = False
) -> LoadedModule:
    """Return *module* with another *size*, or without its address where that is *hidden*."""
    return LoadedModule(
        name=module.name,
        size=module.size if size is None else size,
        refcnt=module.refcnt,
        holders=module.holders,
        state=module.state,
        address=None if hidden else module.address,
        taints=module.taints,
        permanent=module.permanent,
    )
