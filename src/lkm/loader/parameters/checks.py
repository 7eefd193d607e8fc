"""The checks of the parameters that are given, and of the files that show them.

Source: kernel/module/main.c, load_module; kernel/params.c; kernel/module/sysfs.c, mod_sysfs_setup.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from lkm.errors import FormatError
from lkm.loader.facts import KernelFacts, ModuleFacts
from lkm.loader.findings import DAMAGED, Finding, LogLine, blind, refusal
from lkm.loader.parameters.declared import declared_parameters
from lkm.loader.parameters.values import Conditions, Setting, set_parameters
from lkm.loader.taint import Taint


def arguments(module: ModuleFacts, _kernel: KernelFacts) -> Iterator[Finding]:
    """Copy the text of the parameters, which must be there, be it empty."""
    if module.params is None:
        yield Finding(
            check="arguments",
            errno=errno.EFAULT,
            evidence="the text of the parameters is a null pointer",
            remedy="give an empty text instead",
        )


def parameters(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Set the parameters that were given; what cannot be set refuses the module."""
    try:
        declared = declared_parameters(module)
    except FormatError as error:
        yield blind(error)
        return
    yield from set_parameters(
        module.name,
        declared,
        module.params or "",
        Setting(),
        Conditions(
            dynamic_debug=kernel.options.dynamic_debug_core,
            locked_down=kernel.locked_down,
            asking=kernel.asking,
        ),
    )


def sysfs_name(module: ModuleFacts, kernel: KernelFacts) -> Iterator[Finding]:
    """Refuse what cannot be in ``/sys/module``: a built-in's name, none, two files of a name."""
    if module.name in kernel.sysfs_names:
        yield Finding(
            check="builtin-name",
            errno=errno.EINVAL,
            log=(LogLine(3, f"{module.name}: module is already loaded"),),
            evidence=f"{module.name} is built into the kernel",
            remedy="it need not be loaded: the kernel has it",
        )
    elif not module.name:
        warning = "kobject: ((____ptrval____)): attempted to be registered with empty name!"
        yield Finding(
            check="module-name",
            errno=errno.EINVAL,
            log=(LogLine(4, "------------[ cut here ]------------"), LogLine(4, warning)),
            evidence="the name in its struct module is empty",
            remedy=DAMAGED,
            kernel_taint=Taint.WARNED,
        )
    else:
        yield from _same_parameters(module)


def _same_parameters(module: ModuleFacts) -> Iterator[Finding]:
    shown: set[str] = set()
    for parameter in declared_parameters(module):
        if parameter.mode and parameter.name in shown:
            path = f"/module/{module.name}/parameters/{parameter.name}"
            text = f"sysfs: cannot create duplicate filename '{path}'"
            evidence = f"it declares two parameters named {parameter.name}"
            remedy = "give each parameter its own name in the module's source"
            yield refusal(
                "parameter", text, errno.EEXIST, level=4, evidence=evidence, remedy=remedy
            )
            return
        if parameter.mode:
            shown.add(parameter.name)
