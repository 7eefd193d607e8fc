"""What a loaded module shows of itself: its lines in kallsyms, the files in its folders.

    sections/    one file for each section that takes memory, its address in it
    notes/       one for each of those that are notes, with their very bytes
    parameters/  one for each parameter that has a mode

Source: kernel/module/sysfs.c; kernel/params.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lkm._text import encode
from lkm.elf.constants import SHT_NOTE
from lkm.kernel.sandbox_files import ModuleFile
from lkm.loader.facts import KernelSymbol, ModuleFacts
from lkm.loader.memory.layout import Layout
from lkm.loader.options import KernelOptions
from lkm.loader.parameters.declared import Parameter, declared_parameters
from lkm.loader.parameters.values import Setting, set_parameters
from lkm.loader.symbols.kallsyms import ModuleSymbol, coming_symbols, module_symbols


def kallsyms_lines(
    module: ModuleFacts,
    laid_out: Layout,
    addresses: Mapping[int, int],
    kernel: Mapping[str, Sequence[KernelSymbol]],
) -> bytes:
    """Return the module's lines in ``/proc/kallsyms``.

    *addresses* are its sections', by index, *kernel* the symbols that there are to import.
    """
    return _lines(module, module_symbols(module, laid_out, addresses, kernel))


def coming_lines(
    module: ModuleFacts,
    laid_out: Layout,
    addresses: Mapping[int, int],
    kernel: Mapping[str, Sequence[KernelSymbol]],
) -> bytes:
    """Return the lines that it has while it is coming; *kernel* are the symbols that it got."""
    return _lines(module, coming_symbols(module, laid_out, addresses, kernel))


def _lines(module: ModuleFacts, symbols: Sequence[ModuleSymbol]) -> bytes:
    digits = 16 if module.is_64bit else 8
    return encode(
        "".join(
            [
                f"{symbol.address:0{digits}x} {symbol.type} {symbol.name}\t[{module.name}]\n"
                for symbol in symbols
            ]
        )
    )


def module_files(
    module: ModuleFacts,
    laid_out: Layout,
    addresses: Mapping[int, int],
    options: KernelOptions,
) -> tuple[ModuleFile, ...]:
    """Return the files in the module's folders, as it was inserted."""
    found = list(_parameter_files(module))
    if options.kallsyms:
        found += _section_files(module, laid_out, addresses)
    return tuple(found)


def parameters_as_set(module: ModuleFacts) -> tuple[Parameter, ...]:
    """Return the module's parameters with the values that its insert gave them."""
    setting = Setting()
    for _finding in set_parameters(
        module.name, declared_parameters(module), module.params or "", setting
    ):
        pass  # the loader's checks have told it
    return tuple(setting.now.values())


def _parameter_files(module: ModuleFacts) -> Iterator[ModuleFile]:
    for parameter in parameters_as_set(module):
        if parameter.mode:
            text = parameter.text
            data = None if text is None else encode(f"{text}\n")
            yield ModuleFile("parameters", parameter.name, parameter.mode, data)


def _section_files(
    module: ModuleFacts, laid_out: Layout, addresses: Mapping[int, int]
) -> Iterator[ModuleFile]:
    digits = 16 if module.is_64bit else 8
    for section in module.sections:
        if section.index not in laid_out.offsets or not section.size:
            continue
        address = f"0x{addresses.get(section.index, 0):0{digits}x}\n"
        yield ModuleFile("sections", section.name, 0o400, address.encode())
        if section.type == SHT_NOTE:
            yield ModuleFile("notes", section.name, 0o444, module.elf.contents(section))
