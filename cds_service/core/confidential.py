"""Records of which only some fields may be printed, for example in a log or a traceback."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import Struct


class Confidential(Struct, frozen=True):
    """A frozen record that prints the fields named in ``printed``, and no others."""

    printed: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.printed]
