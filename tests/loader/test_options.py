from __future__ import annotations

from lkm.loader.options import DEBIAN, OPTION_NAMES, KernelOptions


def test_a_configuration_tells_every_option() -> None:
    config = {"CONFIG_MODULES": "y", "CONFIG_KALLSYMS": "m", "CONFIG_MODULE_SIG": "n"}

    options = KernelOptions.from_config(config)

    assert (options.modules, options.kallsyms) == (True, True)
    assert (options.module_sig, options.module_unload) == (False, False)


def test_the_names_are_those_of_the_configuration() -> None:
    everything = {f"CONFIG_{name}": "y" for name in OPTION_NAMES}

    assert KernelOptions.from_config(everything) == KernelOptions(
        **{name.lower(): True for name in OPTION_NAMES}
    )
    assert "MODULE_FORCE_UNLOAD" in OPTION_NAMES


def test_the_default_is_debians() -> None:
    off = {"MODULE_SIG_FORCE", "MODULE_DECOMPRESS"}
    off |= {f"MODULE_COMPRESS_{name}" for name in ("GZIP", "XZ", "ZSTD")}
    on = {f"CONFIG_{name}": "y" for name in OPTION_NAMES if name not in off}

    assert KernelOptions.from_config(on) == DEBIAN == KernelOptions()
