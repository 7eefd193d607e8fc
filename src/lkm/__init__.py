"""The Linux loadable kernel module system: a typed library, and the ``lkm`` command.

The names below are the library's front door; each is imported when it is first used, since the
commands start in fewer milliseconds than importing all of them takes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lkm._version import __version__ as __version__
    from lkm.cache import Cache, default_cache
    from lkm.config.settings import Settings
    from lkm.diagnose.find import Criteria, find
    from lkm.errors import LkmError
    from lkm.kernel.apply import apply_plan
    from lkm.kernel.live import LiveKernel
    from lkm.kernel.sandbox import Sandbox
    from lkm.lab.runs import run_in_lab
    from lkm.lab.setup import LabKernel, LabRequest
    from lkm.module.facts import Module
    from lkm.module.file import read_image
    from lkm.names import ModuleName, alias_name, module_name
    from lkm.resolve.lookup import lookup, lookup_each
    from lkm.resolve.resolver import plan_load, plan_load_file, plan_unload
    from lkm.tree.catalog import Catalog
    from lkm.tree.depmod.indexes import build_indexes, write_indexes
    from lkm.tree.installed import installed_kernels, tree_directory

__all__ = [
    "Cache",
    "Catalog",
    "Criteria",
    "LabKernel",
    "LabRequest",
    "LiveKernel",
    "LkmError",
    "Module",
    "ModuleName",
    "Sandbox",
    "Settings",
    "alias_name",
    "apply_plan",
    "build_indexes",
    "default_cache",
    "find",
    "installed_kernels",
    "lookup",
    "lookup_each",
    "module_name",
    "plan_load",
    "plan_load_file",
    "plan_unload",
    "read_image",
    "run_in_lab",
    "tree_directory",
    "write_indexes",
]

_HOMES = {
    "__version__": "_version",
    "Cache": "cache",
    "Catalog": "tree.catalog",
    "Criteria": "diagnose.find",
    "LabKernel": "lab.setup",
    "LabRequest": "lab.setup",
    "LiveKernel": "kernel.live",
    "LkmError": "errors",
    "Module": "module.facts",
    "ModuleName": "names",
    "Sandbox": "kernel.sandbox",
    "Settings": "config.settings",
    "alias_name": "names",
    "apply_plan": "kernel.apply",
    "build_indexes": "tree.depmod.indexes",
    "default_cache": "cache",
    "find": "diagnose.find",
    "installed_kernels": "tree.installed",
    "lookup": "resolve.lookup",
    "lookup_each": "resolve.lookup",
    "module_name": "names",
    "plan_load": "resolve.resolver",
    "plan_load_file": "resolve.resolver",
    "plan_unload": "resolve.resolver",
    "read_image": "module.file",
    "run_in_lab": "lab.runs",
    "tree_directory": "tree.installed",
    "write_indexes": "tree.depmod.indexes",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lkm' has no attribute {name!r}")
    value: object = getattr(__import__(f"lkm.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
