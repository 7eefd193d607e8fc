"""What a kernel was configured to do with modules: the options that the loader obeys.

Source: kernel/module/Kconfig (before Linux 5.19: init/Kconfig), arch/Kconfig, crypto/Kconfig,
security/lockdown/Kconfig, security/integrity/Kconfig.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

_PREFIX = "CONFIG_"
_ALGORITHM = "CRYPTO_"
_SET = frozenset({"y", "m"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelOptions:
    """The configuration of a kernel as far as its module loader goes by it.

    Fields are named as the options are; the defaults are what Debian's kernels for amd64 have.
    ``modversions`` and ``retpoline`` are not among them: without a configuration the modules that
    were built for the kernel tell them. ``broken_on_smp`` is what kernels for one processor have.
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
    dynamic_debug_core: bool = True
    constructors: bool = False
    module_decompress: bool = False
    module_compress_gzip: bool = False
    module_compress_xz: bool = False
    module_compress_zstd: bool = False
    xz_dec_x86: bool = True
    xz_dec_powerpc: bool = False
    xz_dec_ia64: bool = False
    xz_dec_arm: bool = False
    xz_dec_armthumb: bool = False
    xz_dec_arm64: bool = False
    xz_dec_sparc: bool = False
    xz_dec_riscv: bool = False
    debug_info_btf_modules: bool = True
    module_allow_btf_mismatch: bool = True
    security_lockdown_lsm: bool = True
    arm64_module_plts: bool = True
    module_allow_missing_namespace_imports: bool = False
    lock_down_kernel_force_integrity: bool = False
    lock_down_kernel_force_confidentiality: bool = False
    integrity_platform_keyring: bool = True
    crypto_ecdsa: bool = False
    crypto_md5: bool = True
    crypto_sha1: bool = True
    crypto_sha512: bool = False
    crypto_sha3: bool = False
    uml: bool = False
    broken_on_smp: bool = False

    @property
    def locks_down(self) -> bool:
        """Tell whether the kernel locks itself down from the start, at either level."""
        forced = (
            self.lock_down_kernel_force_integrity or self.lock_down_kernel_force_confidentiality
        )
        return self.security_lockdown_lsm and forced

    @classmethod
    def from_config(cls, config: Mapping[str, str]) -> KernelOptions:
        """Return the options in *config*, which maps names (``CONFIG_MODULES``) to values.

        A name that is not there is an option that is off: a configuration is whole, or none.
        Algorithms are on where they are built in: as modules they may be there or not.
        """
        return cls(**{each.name: _is_on(config, each.name.upper()) for each in fields(cls)})


DEBIAN = KernelOptions()
"""What Debian's kernels for amd64 have; the default wherever a configuration is not known."""

OPTION_NAMES: tuple[str, ...] = tuple(each.name.upper() for each in fields(KernelOptions))
"""The names of the options, as ``.config`` has them but for ``CONFIG_``, in the fields' order."""


def _is_on(config: Mapping[str, str], name: str) -> bool:
    if name.startswith(_ALGORITHM):
        return config.get(_PREFIX + name) == "y"
    return is_set(config, name)


def is_set(config: Mapping[str, str], name: str) -> bool:
    """Tell whether *config* sets the option *name* (without ``CONFIG_``) to ``y`` or ``m``."""
    return config.get(_PREFIX + name) in _SET
