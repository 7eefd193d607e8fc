"""The base of the values that lkm's layers hand to each other."""

from __future__ import annotations


class Value:
    """An immutable value: equal, hashed and shown by its fields, which are its slots.

    It stands where a frozen dataclass would, in every module that a drop-in command
    imports: importing ``dataclasses`` costs as much as starting Python. A subclass names its
    fields in ``__slots__`` and sets them in ``__init__``, annotated ``Final``, so that the type
    checker refuses a later assignment.
    """

    __slots__: tuple[str, ...] = ()

    def _values(self) -> tuple[object, ...]:
        return tuple([getattr(self, field) for field in self.__slots__])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field}={getattr(self, field)!r}" for field in self.__slots__)
        return f"{type(self).__name__}({fields})"
