"""Small objects that never change once they are made, and tuples that are made when needed.

A call makes some hundreds of these objects. Creating a frozen dataclass costs a function call for
every field, so `immutable` freezes a class only for the type checker, which rejects assignments to
its fields. The objects are compared and hashed by their fields.

Classes of which a call makes dozens are frozen `msgspec.Struct`s instead, which are created in
half the time. That is not possible where a field takes no part in comparison or printing. Use
`msgspec.structs.replace` to make a changed copy of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, dataclass_transform, overload

_Made = TypeVar("_Made")
_T = TypeVar("_T")


class Deferred(Sequence[_T]):
    """A tuple that is made only when its elements are used; it compares like a tuple.

    It is for data that most rules never need and that take longer to read than all others.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], tuple[_T, ...]]) -> None:
        self._make = make
        self._made: tuple[_T, ...] | None = None

    def _all(self) -> tuple[_T, ...]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, at: Any) -> Any:
        return self._all()[at]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[_T]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, tuple | Deferred) and self._all() == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())


@overload
def immutable(cls: type[_Made], /) -> type[_Made]: ...


@overload
def immutable(*, slots: bool) -> Callable[[type[_Made]], type[_Made]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(
    cls: type[_Made] | None = None, /, *, slots: bool = True
) -> type[_Made] | Callable[[type[_Made]], type[_Made]]:
    """Make an immutable class from annotated fields, as `dataclasses.dataclass` does.

    With ``slots=False`` the class can have a `functools.cached_property`.
    """
    make = dataclass(slots=slots, unsafe_hash=True)
    return make if cls is None else make(cls)
