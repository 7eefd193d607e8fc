"""The parameters that a module declares, with the values that they have before anybody sets one.

    __param        one record a parameter: name, module, operations (pointers), u16 mode, s8 level,
                   u8 flags, and a pointer to the value, or to what describes it
    of an array    u32 most elements, u32 size of one, pointers to their number, operations, values
    of a string    u32 size of the buffer, a pointer to it

Which operations a parameter has tells its type; a module may bring its own, and then only its code
could tell what the parameter is. Source: include/linux/moduleparam.h, kernel/params.c.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lkm.loader.facts import ModuleFacts, find_section
from lkm.loader.parameters.module_memory import ModuleMemory, Place

_OPERATIONS = "param_ops_"
_ARRAY = "param_array_ops"
_STRING = "string"
_UNSAFE = 1
_HARDWARE = 2
_NO_ARGUMENT = 1  # a flag of the operations
# These set a parameter by being named alone.
_TAKING_NOTHING = frozenset({"bool", "bool_enable_only", "bint"})
_MOST_SHOWN = 1024  # a file of sysfs has a page at most

INTEGERS = {
    "byte": (1, False),
    "short": (2, True),
    "ushort": (2, False),
    "int": (4, True),
    "uint": (4, False),
    "hexint": (4, False),
    "long": (0, True),  # a word of the machine
    "ulong": (0, False),
    "ullong": (8, False),
}
"""Size in bytes and signedness of each type of number."""

BOOLS = {"bool": "YN", "bool_enable_only": "YN", "invbool": "NY"}
"""What each type of truth value shows for true and for false."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A declared parameter.

    *type* is the name in moduleparam.h, of each element where it is an array, and empty where the
    module's own code handles it. *mode* is that of its file, 0 for none. *values* are as its file
    shows them, one unless it is an array, and None where only code tells them. An array takes
    *most* elements, 0 for no array; *counted* tells whether it remembers how many it has, which is
    *count*, instead of showing all. A string has *buffer* bytes, its NUL among them. *word* is the
    size of a long. *hardware* marks what a kernel that is locked down lets nobody set.
    *takes_nothing* tells whether it is set by being named alone, None where that is not known.
    """

    name: str
    type: str
    mode: int
    unsafe: bool
    values: tuple[str, ...] | None
    most: int = 0
    counted: bool = False
    count: int = 1
    buffer: int = 0
    word: int = 8
    hardware: bool = False
    takes_nothing: bool | None = False

    @property
    def text(self) -> str | None:
        """Return what its file shows, without the newline; None where only code tells that."""
        if self.values is None:
            return None
        return ",".join(self.values[: self.count])


def declared_parameters(module: ModuleFacts) -> tuple[Parameter, ...]:
    """Return the parameters of *module*, in the order in which the kernel looks for a name.

    Raises ``FormatError`` for records that lead nowhere.
    """
    section = find_section(module.elf, "__param")
    if section is None:
        return ()
    memory = ModuleMemory(module.elf, module.symbols)
    size = 5 * memory.pointer_size
    return tuple(
        [
            parameter
            for at in range(0, section.size - size + 1, size)
            if (parameter := _record(memory, section.index, at)) is not None
        ]
    )


def _record(memory: ModuleMemory, index: int, at: int) -> Parameter | None:
    """Return the parameter whose record lies there, None for one without a name."""
    word = memory.pointer_size
    name = memory.pointer((index, at))
    if name is None:
        return None
    flags = memory.number((index, at + 3 * word + 3), 1)
    bare = Parameter(
        name=memory.text(name),
        type="",
        mode=memory.number((index, at + 3 * word), 2),
        unsafe=bool(flags & _UNSAFE),
        values=None,
        word=word,
        hardware=bool(flags & _HARDWARE),
        takes_nothing=_takes_nothing(memory, (index, at + 2 * word)),
    )
    return _parameter(memory, (index, at + 2 * word), memory.pointer((index, at + 4 * word)), bare)


def _takes_nothing(memory: ModuleMemory, operations: Place) -> bool | None:
    name = memory.symbol(operations)
    kind = name.removeprefix(_OPERATIONS)
    if name == _ARRAY or kind in {_STRING, "charp", "invbool", *INTEGERS}:
        return False
    if kind in _TAKING_NOTHING:
        return True
    place = memory.pointer(operations)
    if place is None or memory.is_elsewhere(place):
        return None  # another module has them
    return bool(memory.number(place, 4) & _NO_ARGUMENT)


def _parameter(
    memory: ModuleMemory, operations: Place, value: Place | None, bare: Parameter
) -> Parameter:
    """Return *bare* with its type and its values."""
    name = memory.symbol(operations)
    if value is None:
        return bare
    if name == _ARRAY:
        return _array(memory, value, bare)
    kind = name.removeprefix(_OPERATIONS) if name.startswith(_OPERATIONS) else ""
    if kind == _STRING:
        return _string(memory, value, bare)
    shown = _shown(memory, kind, value)
    return bare if shown is None else replace(bare, type=kind, values=(shown,))


def _string(memory: ModuleMemory, value: Place, bare: Parameter) -> Parameter:
    buffer = memory.pointer((value[0], value[1] + memory.pointer_size))
    if buffer is None:
        return bare
    size = memory.number(value, 4)
    text = memory.text(buffer)
    return replace(bare, type=_STRING, values=(text[: max(size - 1, 0)],), buffer=size)


def _array(memory: ModuleMemory, value: Place, bare: Parameter) -> Parameter:
    index, at = value
    word = memory.pointer_size
    most, size = memory.number(value, 4), memory.number((index, at + 4), 4)
    counter = memory.pointer((index, at + 8))
    name = memory.symbol((index, at + 8 + word))
    first = memory.pointer((index, at + 8 + 2 * word))
    if first is None or not name.startswith(_OPERATIONS):
        return bare
    kind = name.removeprefix(_OPERATIONS)
    values: list[str] = []
    for number in range(min(most, _MOST_SHOWN)):
        shown = _shown(memory, kind, (first[0], first[1] + number * size))
        if shown is None:
            return bare
        values.append(shown)
    count = most if counter is None else memory.number(counter, 4)
    return replace(
        bare,
        type=kind,
        values=tuple(values),
        most=most,
        counted=counter is not None,
        count=count,
    )


def _shown(memory: ModuleMemory, kind: str, value: Place) -> str | None:
    """Return what the value at *value* shows, None for a type of the module's own."""
    if kind in INTEGERS:
        size, signed = INTEGERS[kind]
        return shown_number(kind, memory.number(value, size or memory.pointer_size, signed=signed))
    if kind in BOOLS:
        return BOOLS[kind][not memory.number(value, 1)]
    if kind == "bint":
        return str(memory.number(value, 4, signed=True))
    if kind == "charp":
        text = memory.pointer(value)
        return "(null)" if text is None else memory.text(text)
    return None


def shown_number(kind: str, number: int) -> str:
    """Return what a parameter of a number's type shows for *number*."""
    return f"{number:#08x}" if kind == "hexint" else str(number)
