"""Decide what unloading takes.

A removal changes what is held by whom, so the plan is made on a copy of what the kernel holds, from
which the modules are taken away one by one. As in kmod a dependency is asked once, in loading
order, whether it is unused; so of a chain of dependencies only the last stays behind unused.

Source: kmod, tools/modprobe.c, rmmod_do_module and rmmod_do_modlist.
"""

from __future__ import annotations

from lkm.errors import NoSuchModuleError
from lkm.names import module_name_of_path
from lkm.resolve.lookup import Found, is_builtin, lookup
from lkm.resolve.plan import InUse, Plan, Remove, RunRemove, Skip
from lkm.resolve.reasons import Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Final, Literal, Protocol

    from lkm.config.directives import Softdep
    from lkm.config.settings import Settings
    from lkm.names import ModuleName
    from lkm.resolve.plan import Step
    from lkm.tree.catalog import Catalog

    class LoadedLike(Protocol):
        """What the plan needs to know of a loaded module."""

        @property
        def name(self) -> ModuleName:
            """Its name."""
            ...

        @property
        def refcnt(self) -> int | None:
            """Its users; None in a kernel that cannot unload."""
            ...

        @property
        def holders(self) -> tuple[ModuleName, ...]:
            """The modules among its users."""
            ...


def plan_unload(  # noqa: PLR0913  # modprobe's options, by their names
    word: str,
    catalog: Catalog,
    settings: Settings,
    *,
    loaded: Collection[LoadedLike] = (),
    remove_holders: bool = False,
    ignore_commands: bool = False,
    wait: bool = False,
    keep_going: bool = False,
    show_all: bool = False,
) -> Plan:
    """Plan to unload the modules that *word* stands for, and what becomes unused by that.

    *loaded* is what the kernel holds now. *remove_holders* takes the modules that use it first;
    with *ignore_commands* neither remove commands nor softdeps count, as in kmod; with *wait* a
    module in use is no reason to stop, since its removal will be tried again. A plan that cannot be
    carried out ends in an ``InUse`` step; with *keep_going* (``modprobe -a``) a soft dependency
    in use is such a step too, but the plan goes on after it. With *show_all*, which is for showing
    only, nobody asks whether a module is there or in use.

    Raises ``NoSuchModuleError`` where the word stands for nothing.
    """
    founds = lookup(word, catalog, settings)
    if not founds:
        raise NoSuchModuleError(word, catalog.directory)
    unloader = _Unloader(catalog, settings, loaded, wait=wait, keep_going=keep_going)
    unloader.show_all = show_all
    for found in founds:
        reason = Reason("asked", word=word, found=found)
        if not unloader.unload(
            found, reason, remove_holders=remove_holders, ignore_commands=ignore_commands
        ):
            break
    return Plan(word, "unload", tuple(unloader.steps), tuple(unloader.reasons))


class _Unloader:
    """The modules as they would be after the steps so far."""

    def __init__(
        self,
        catalog: Catalog,
        settings: Settings,
        loaded: Collection[LoadedLike],
        *,
        wait: bool,
        keep_going: bool,
    ) -> None:
        self.show_all = False
        self.steps: Final[list[Step]] = []
        self.reasons: Final[list[Reason]] = []
        self._catalog: Final = catalog
        self._settings: Final = settings
        self._wait: Final = wait
        self._keep_going: Final = keep_going
        self._refcnt_at_start: Final = {module.name: module.refcnt for module in loaded}
        self._refcnt: Final = dict(self._refcnt_at_start)
        self._holders: Final = {module.name: list(module.holders) for module in loaded}
        self._under_way: Final[dict[ModuleName, Reason]] = {}

    def unload(
        self,
        found: Found,
        reason: Reason,
        *,
        remove_holders: bool = False,
        ignore_commands: bool = False,
    ) -> bool:
        """Add the steps for one module; return whether it would be gone after them."""
        name = found.name
        softdep = None if ignore_commands else self._settings.softdep_for(name)
        remove = None if ignore_commands else self._settings.remove_for(name)
        if found.via == "remove" and not ignore_commands:
            remove = self._settings.remove_named(name)
        if name in self._under_way:  # softdeps may form a loop, where kmod runs for ever
            return True
        if remove is None and name not in self._refcnt and not self.show_all:
            return self._absent(found, reason)
        self._under_way[name] = reason
        post = () if softdep is None else self._neighbours("post softdep", softdep, name)
        if not self._unload_all(post, ignore_commands):
            return False
        if remove_holders and not self._unload_holders(name, ignore_commands):
            return False
        if remove is not None:
            required = not (_is_soft(reason) and self._keep_going)
            step = RunRemove(name, remove.command, reason.module, remove.source, required=required)
            self._add(step, reason)
            self._take_away(name)
        elif not self._remove(name, reason):
            return False
        else:
            self._remove_unused(name)
        pre = () if softdep is None else self._neighbours("pre softdep", softdep, name)
        return self._unload_all(pre, ignore_commands)

    def _add(self, step: Step, reason: Reason) -> None:
        self.steps.append(step)
        self.reasons.append(reason)

    def _absent(self, found: Found, reason: Reason) -> bool:
        if is_builtin(found, self._catalog):
            self._add(Skip(found.name, "builtin", reason.module), reason)
            return bool(reason.module)
        self._add(Skip(found.name, "not loaded", reason.module), reason)
        return True

    def _neighbours(
        self, kind: Literal["pre softdep", "post softdep"], softdep: Softdep, name: ModuleName
    ) -> tuple[tuple[Found, Reason], ...]:
        """Return the modules of one side of *softdep*, in the order of unloading."""
        words = softdep.pre if kind == "pre softdep" else softdep.post
        found = [
            (found, Reason(kind, name, word=word, found=found, softdep=softdep.source))
            for word in words
            for found in lookup(word, self._catalog, self._settings)
        ]
        return tuple(reversed(found))

    def _unload_all(
        self, neighbours: tuple[tuple[Found, Reason], ...], ignore_commands: bool
    ) -> bool:
        for found, reason in neighbours:
            gone = self.unload(found, reason, ignore_commands=ignore_commands)
            if not gone and not self._keep_going:
                return False
        return True

    def _unload_holders(self, name: ModuleName, ignore_commands: bool) -> bool:
        """Add the steps for what holds *name*, and for what holds that (since kmod 31)."""
        for holder in reversed(tuple(self._holders.get(name, ()))):
            found = Found(holder, "", "holder")
            why = Reason("holder", name)
            if not self.unload(found, why, remove_holders=True, ignore_commands=ignore_commands):
                return False
        return True

    def _remove(self, name: ModuleName, reason: Reason) -> bool:
        if name not in self._refcnt and not self.show_all:
            return True  # gone as a dependency of its last holder
        refcnt = self._refcnt.get(name)
        if refcnt is not None and refcnt > 0 and not self._wait and not self.show_all:
            required = not (reason.module and self._keep_going)
            holders = tuple(self._holders[name])
            step = InUse(name, reason.module, refcnt, holders, required=required)
            self._add(step, reason)
            return False
        self._add_removal(name, reason, if_unused=False)
        return True

    def _remove_unused(self, name: ModuleName) -> None:
        entry = self._catalog.entry(name)
        for path in reversed(entry.depends) if entry is not None else ():
            dependency = module_name_of_path(path)
            if self._refcnt.get(dependency, -1) == 0:
                reason = self._under_way.get(dependency)
                unused = Reason("unused dependency", name)
                self._add_removal(dependency, reason or unused, if_unused=reason is None)

    def _add_removal(self, name: ModuleName, reason: Reason, *, if_unused: bool) -> None:
        refcnt = self._refcnt_at_start.get(name)
        step = Remove(
            name,
            reason.module,
            if_unused=if_unused,
            refcnt=refcnt,
            required=not _is_soft(reason),
        )
        self._add(step, reason)
        self._take_away(name)

    def _take_away(self, name: ModuleName) -> None:
        self._refcnt.pop(name, None)
        self._holders.pop(name, None)
        for other, holders in self._holders.items():
            if name in holders:
                holders.remove(name)
                refcnt = self._refcnt[other]
                self._refcnt[other] = refcnt - 1 if refcnt is not None and refcnt > 0 else refcnt


def _is_soft(reason: Reason) -> bool:
    return reason.kind in ("pre softdep", "post softdep")
