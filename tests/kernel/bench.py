"""A bench: a kernel to check, what is asked of it for that, and the one of the kernel that runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lkm.config.modprobe_d import parse
from lkm.config.settings import Settings
from lkm.errors import KernelError
from lkm.kernel.apply import Outcome, apply_plan, image_for
from lkm.kernel.live import LiveKernel
from lkm.kernel.loaded import COMING, LoadedModule
from lkm.kernel.procfs import parse_modules
from lkm.kernel.protocol import FORCE, Kernel
from lkm.module.file import ModuleImage, read_image
from lkm.names import ModuleName
from lkm.resolve.resolver import plan_loads, plan_unload
from lkm.tree.catalog import Catalog

_OURS = "tm_"
# Only where it goes wrong it takes so long.
_LONGEST_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A kernel to check, and how to get at what is not asked of a ``Kernel``.

    *directory* is its tree, in which the tiny modules are; *files* the folder of those that do not
    load. *read* gives a file of its ``/proc`` and ``/sys``. *say_init* is told what the init of a
    module returns, where that does not run; *hold* has a module take a reference on itself, or
    drop it. *slow_init* starts an insert in another process, whose init takes so many seconds and
    returns that; what it gives back waits for the end, and returns 0 or the errno.
    """

    kernel: Kernel
    directory: str
    files: str
    read: Callable[[str], bytes]
    say_init: Callable[[ModuleName, int], None]
    hold: Callable[[ModuleName, bool], None]
    slow_init: Callable[[ModuleName, float, int], Callable[[], int]]

    def image(self, name: str) -> ModuleImage:
        return image_for(self.kernel, f"{self.directory}/kernel/{name}.ko")

    def unfit(self, name: str) -> ModuleImage:
        return image_for(self.kernel, f"{self.files}/{name}.ko")

    def insert(self, *names: str, params: str = "") -> None:
        for name in names:
            self.kernel.insert(self.image(name), params)

    def loaded(self, name: str) -> LoadedModule:
        found = self.kernel.find(ModuleName(name))
        assert found is not None, f"{name} is not loaded"
        return found

    def ours(self) -> list[str]:
        """Return which of the tiny modules are loaded, newest first."""
        return [module.name for module in self.kernel.modules() if module.name.startswith(_OURS)]

    def listed(self) -> dict[str, LoadedModule]:
        """Return what ``/proc/modules`` itself says."""
        return {
            module.name: module for module in parse_modules(as_text(self.read("/proc/modules")))
        }

    def load(
        self,
        word: str,
        *,
        settings: str = "",
        loaded: Mapping[ModuleName, str] | None = None,
        first_time: bool = False,
    ) -> Outcome:
        if loaded is None:
            loaded = {module.name: module.state for module in self.kernel.present()}
        found = Settings(parse(settings, "x.conf"))
        catalog = Catalog.open(self.directory)
        (plan,) = plan_loads(word, catalog, found, loaded=loaded)
        return apply_plan(plan, self.kernel, first_time=first_time)

    def unload(self, word: str, *, remove_holders: bool = False) -> Outcome:
        plan = plan_unload(
            word,
            Catalog.open(self.directory),
            Settings(),
            loaded=self.kernel.present(),
            remove_holders=remove_holders,
        )
        return apply_plan(plan, self.kernel)

    def whole(self, name: str) -> ModuleImage:
        """Return a module as bytes of no file, so that it is inserted by init_module(2)."""
        read = read_image(f"{self.directory}/kernel/{name}.ko")
        return ModuleImage(read.name, read.data)

    def coming(self, name: ModuleName) -> LoadedModule:
        """Return the module as it is seen while its init runs."""
        end = time.monotonic() + _LONGEST_S
        while time.monotonic() < end:
            found = self.kernel.find(name)
            if found is not None and found.state == COMING and found.refcnt:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{name} was not seen coming")

    def clear(self) -> None:
        """Remove every tiny module, whatever that takes."""
        for _turn in range(10):
            for name in self.ours():
                try:
                    self.kernel.remove(ModuleName(name), flags=FORCE)
                except KernelError:
                    continue  # its users come first
        assert self.ours() == []


def raised(kind: type[KernelError], call: Callable[[], object]) -> KernelError:
    """Return the error of that *kind* that *call* raises."""
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def live_bench(files: str) -> Bench:
    """Return the kernel that runs, its tree and *files*."""
    kernel = LiveKernel()

    def hold(name: ModuleName, on: bool) -> None:
        with open(f"/sys/module/{name}/parameters/hold", "w") as file:
            file.write("1" if on else "0")

    def slow_init(name: ModuleName, seconds: float, returns: int) -> Callable[[], int]:
        path = f"{bench.directory}/kernel/{name}.ko"
        child = os.fork()
        if not child:
            params = f"ms_in={int(seconds * 1000)} ms_out=0 ret={returns}"
            try:
                LiveKernel().insert(image_for(kernel, path), params)
            except KernelError as error:
                os._exit(error.errno)
            os._exit(0)
        return lambda: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    bench = Bench(
        kernel=kernel,
        directory=f"/lib/modules/{os.uname().release}",
        files=files,
        read=_read,
        say_init=lambda _name, _returns: None,
        hold=hold,
        slow_init=slow_init,
    )
    return bench


def symbols_of(kallsyms: bytes, name: str) -> list[str]:
    """Return type and name of each line that the module has in *kallsyms*."""
    end = f"\t[{name}]"
    lines = as_text(kallsyms).splitlines()
    return [line.removesuffix(end).split(" ", 1)[1] for line in lines if line.endswith(end)]


def as_text(data: bytes) -> str:
    """Return what the kernel wrote."""
    return data.decode(errors="surrogateescape")


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
