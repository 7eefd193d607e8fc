"""What a kernel was configured to do with modules: the options that the loader obeys.

Source: kernel/module/Kconfig (before Linux 5.19: init/Kconfig), arch/Kconfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

_PREFIX = "CONFIG_"
_SET = frozenset({"y", "m"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelOptions:
    """The configuration of a kernel as far as its module loader goes by it.

    Fields are named as the options are; the defaults are what Debian's kernels for amd64 have.
    ``modversions`` and ``retpoline`` are not among them: without a configuration the modules that
    were built for the kernel tell them.
    """

    modules: bool = True
    module_unload: bool = True
    module_force_load: bool = True
    module_force_unload: bool = True
    module_sig: bool = True
    module_sig_force: bool = False
    strict_module_rwx: bool = True
    kallsyms: bool = True
    kallsyms_all: bool = True
    livepatch: bool = True
    module_decompress: bool = False
    module_compress_gzip: bool = False
    module_compress_xz: bool = False
    module_compress_zstd: bool = False
    debug_info_btf_modules: bool = True
    module_allow_btf_mismatch: bool = True
    security_lockdown_lsm: bool = True

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> KernelOptions:
        """Return the options in *config*, which maps names (``CONFIG_MODULES``) to values.

        A name that is not there is an option that is off: a configuration is whole, or none.
        """
        found = {each.name: is_set(config, each.name.upper()) for each in fields(cls)}
        return cls(**found)


DEBIAN = KernelOptions()
"""What Debian's kernels for amd64 have; the default wherever a configuration is not known."""

OPTION_NAMES: tuple[str, ...] = tuple(each.name.upper() for each in fields(KernelOptions))
"""The names of the options, as ``.config`` has them but for ``CONFIG_``, in the fields' order."""


def is_set(config: Mapping[str, str], name: str) -> bool:
    """Tell whether *config* sets the option *name* (without ``CONFIG_``) to ``y`` or ``m``."""
    return config.get(_PREFIX + name) in _SET
