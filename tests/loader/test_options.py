from __future__ import annotations

from lkm.loader.options import DEBIAN, OPTION_NAMES, KernelOptions


def test_a_configuration_tells_every_option() -> None:
    config = {"CONFIG_MODULES": "y", "CONFIG_KALLSYMS": "m", "CONFIG_MODULE_SIG": "n"}

    options = KernelOptions.from_config(config)

    assert (options.modules, options.kallsyms) == (True, True)
    assert (options.module_sig, options.module_unload) == (False, False)


def test_an_algorithm_that_may_be_a_module_is_not_one_to_rely_on() -> None:
    config = {"CONFIG_CRYPTO_SHA512": "m", "CONFIG_CRYPTO_ECDSA": "y"}

    options = KernelOptions.from_config(config)

    assert (options.crypto_sha512, options.crypto_ecdsa) == (False, True)


def test_either_level_of_lockdown_may_be_built_in() -> None:
    lsm = {"CONFIG_SECURITY_LOCKDOWN_LSM": "y"}

    for level in ("INTEGRITY", "CONFIDENTIALITY"):
        config = lsm | {f"CONFIG_LOCK_DOWN_KERNEL_FORCE_{level}": "y"}
        assert KernelOptions.from_config(config).locks_down
    assert not KernelOptions.from_config(lsm).locks_down


def test_the_names_are_those_of_the_configuration() -> None:
    everything = {f"CONFIG_{name}": "y" for name in OPTION_NAMES}

    assert KernelOptions.from_config(everything) == KernelOptions(
        **{name.lower(): True for name in OPTION_NAMES}
    )
    assert "MODULE_FORCE_UNLOAD" in OPTION_NAMES


def test_the_default_is_debians() -> None:
    off = {"MODULE_SIG_FORCE", "MODULE_DECOMPRESS", "UML", "BROKEN_ON_SMP", "CONSTRUCTORS"}
    off |= {"MODULE_ALLOW_MISSING_NAMESPACE_IMPORTS"}
    off |= {f"MODULE_COMPRESS_{name}" for name in ("GZIP", "XZ", "ZSTD")}
    off |= {f"LOCK_DOWN_KERNEL_FORCE_{name}" for name in ("INTEGRITY", "CONFIDENTIALITY")}
    off |= {f"CRYPTO_{name}" for name in ("ECDSA", "SHA512", "SHA3")}
    off |= {name for name in OPTION_NAMES if name.startswith("XZ_DEC_") and name != "XZ_DEC_X86"}
    on = {f"CONFIG_{name}": "y" for name in OPTION_NAMES if name not in off}

    assert KernelOptions.from_config(on) == DEBIAN == KernelOptions()
