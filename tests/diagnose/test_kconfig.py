"""What the options for modules mean, of kernels with and without modules."""

from __future__ import annotations

from lkm.diagnose.kconfig import module_options


def meanings(**config: str) -> dict[str, str]:
    named = {f"CONFIG_{name}": value for name, value in config.items()}
    return {option.name: option.meaning for option in module_options(named)}


def test_of_a_kernel_without_modules_only_the_symbol_table_is_told_besides() -> None:
    for modules in ({}, {"MODULES": "n"}):
        told = meanings(**modules, KALLSYMS="y", MODULE_SIG="y", SECURITY_LOCKDOWN_LSM="y")

        assert set(told) == {"MODULES", "KALLSYMS", "KALLSYMS_ALL"}
        assert "takes no modules" in told["MODULES"]


def test_of_a_kernel_with_modules_the_options_that_rule_them_are_told() -> None:
    told = meanings(MODULES="y")
    assert {"MODULE_UNLOAD", "MODVERSIONS", "MODULE_SIG", "TRIM_UNUSED_KSYMS"} <= set(told)


def test_lockdown_that_is_forced_is_no_riddle() -> None:
    told = meanings(
        MODULES="y", LOCK_DOWN_KERNEL_FORCE_NONE="n", LOCK_DOWN_KERNEL_FORCE_INTEGRITY="y"
    )
    assert "forces it on" in told["LOCK_DOWN_KERNEL_FORCE_NONE"]
    assert "or there is none" not in told["LOCK_DOWN_KERNEL_FORCE_NONE"]
