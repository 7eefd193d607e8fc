"""What every kernel keeps to, whichever it is: one file of tests, run for each of them.

A test module makes a subclass of ``KernelContract`` whose ``bench`` fixture gives a kernel with
nothing loaded of the three modules, and the modules: *owner* exports what *user* needs, and
*wrong* was built for another kernel.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from lkm.errors import (
    AlreadyLoadedError,
    BadModuleFormatError,
    InUseError,
    NotLoadedError,
    UnknownSymbolError,
)
from lkm.kernel.loaded import LoadedModule
from lkm.kernel.protocol import Kernel
from lkm.kernel.sysfs import loaded_folders
from lkm.module.file import ModuleImage
from lkm.names import ModuleName


@dataclass(frozen=True)
class Bench:
    kernel: Kernel
    owner: ModuleImage
    user: ModuleImage
    wrong: ModuleImage
    kallsyms: Callable[[], bytes]  # /proc/kallsyms as its root reads it

    def symbols_of(self, image: ModuleImage) -> list[str]:
        """Return type and name of each line that the module has in kallsyms."""
        end = f"\t[{image.name}]"
        lines = self.kallsyms().decode().splitlines()
        return [line.removesuffix(end).split(" ", 1)[1] for line in lines if line.endswith(end)]

    def loaded(self, image: ModuleImage) -> LoadedModule:
        found = self.kernel.find(image.name)
        assert found is not None
        return found


class KernelContract:
    def test_a_kernel_says_what_it_is(self, bench: Bench) -> None:
        assert bench.kernel.name in {"live", "sandbox"}
        assert bench.kernel.release()
        assert "\n" not in bench.kernel.command_line()

    def test_an_inserted_module_is_live_and_unused(self, bench: Bench) -> None:
        bench.kernel.insert(bench.owner)

        module = bench.loaded(bench.owner)

        assert (module.state, module.refcnt, module.holders) == ("live", 0, ())
        assert module.size > 0
        assert module.size % 4096 == 0

    def test_an_inserted_module_has_a_folder_of_its_own(self, bench: Bench) -> None:
        name = bench.owner.name
        before = bench.kernel.sys_module()
        bench.kernel.insert(bench.owner)

        after = bench.kernel.sys_module()

        assert before is not None
        assert after is not None
        assert name not in before
        shown = loaded_folders(after, [name])[name]
        assert shown.initsize is not None
        assert shown.sections
        assert shown.unreadable == {}

    def test_the_newest_module_is_listed_first(self, bench: Bench) -> None:
        bench.kernel.insert(bench.owner)
        bench.kernel.insert(bench.user)

        names = [module.name for module in bench.kernel.modules()]

        assert names[:2] == [bench.user.name, bench.owner.name]

    def test_a_user_holds_its_owner(self, bench: Bench) -> None:
        bench.kernel.insert(bench.owner)
        bench.kernel.insert(bench.user)

        owner = bench.loaded(bench.owner)

        assert (owner.refcnt, owner.holders) == (1, (bench.user.name,))

    def test_a_user_without_its_owner_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSymbolError) as caught:
            bench.kernel.insert(bench.user)

        assert caught.value.errno == errno.ENOENT
        assert bench.kernel.find(bench.user.name) is None

    def test_a_name_that_is_loaded_is_refused(self, bench: Bench) -> None:
        bench.kernel.insert(bench.owner)

        with pytest.raises(AlreadyLoadedError):
            bench.kernel.insert(bench.owner)

        assert bench.loaded(bench.owner).refcnt == 0

    def test_a_module_in_use_stays(self, bench: Bench) -> None:
        bench.kernel.insert(bench.owner)
        bench.kernel.insert(bench.user)

        with pytest.raises(InUseError):
            bench.kernel.remove(bench.owner.name)

        assert bench.loaded(bench.owner).state == "live"

    def test_what_is_not_loaded_cannot_be_removed(self, bench: Bench) -> None:
        with pytest.raises(NotLoadedError):
            bench.kernel.remove(ModuleName("lkm_no_such_module"))

    def test_removing_all_of_it_leaves_what_was_before(self, bench: Bench) -> None:
        before = bench.kernel.modules()
        bench.kernel.insert(bench.owner)
        bench.kernel.insert(bench.user)
        bench.kernel.remove(bench.user.name)
        bench.kernel.remove(bench.owner.name)

        assert bench.kernel.modules() == before

    def test_symbols_come_and_go_with_their_module(self, bench: Bench) -> None:
        before = bench.kallsyms()
        bench.kernel.insert(bench.owner)
        bench.kernel.insert(bench.user)

        of_owner, of_user = bench.symbols_of(bench.owner), bench.symbols_of(bench.user)
        modules = [
            line.rpartition(b"\t")[2] for line in bench.kallsyms().splitlines() if b"\t[" in line
        ]

        assert any(line[0] in "TDRB" for line in of_owner), "what it exports to everybody"
        assert len(set(of_owner)) == len(of_owner) > 1
        assert len(of_user) > 1
        newest = f"[{bench.user.name}]".encode()
        assert modules[0] == newest, "modules in the order of /proc/modules"
        bench.kernel.remove(bench.user.name)
        assert (bench.symbols_of(bench.owner), bench.symbols_of(bench.user)) == (of_owner, [])
        bench.kernel.remove(bench.owner.name)
        assert bench.kallsyms() == before

    def test_a_refused_module_leaves_no_symbol(self, bench: Bench) -> None:
        before = bench.kallsyms()
        with pytest.raises(UnknownSymbolError):
            bench.kernel.insert(bench.user)

        assert bench.kallsyms() == before

    def test_a_module_for_another_kernel_is_refused(self, bench: Bench) -> None:
        with pytest.raises(BadModuleFormatError):
            bench.kernel.insert(bench.wrong)

    def test_bytes_that_are_no_module_are_refused(self, bench: Bench) -> None:
        nothing = ModuleImage(ModuleName("nothing"), b"\x7fELF" + bytes(300))

        with pytest.raises(BadModuleFormatError):
            bench.kernel.insert(nothing)
