"""Records are frozen: no field of one can be assigned, and no module writes to one by force.

A record is a dataclass, a msgspec Struct or a pydantic model. Assignments are tried on every
record class of the packages; those in `MUTABLE` change on purpose.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel

import cds_service
import hooks

ROOT = Path(__file__).parents[2]
_NOT_IMPORTED = ("__main__", ".migrations.env")  # they run when they are imported
_RECORD = re.compile(r"\b(dataclass|Struct|BaseModel|BaseSettings|Confidential)\b")
_FORCED = frozenset({"__setattr__", "force_setattr"})

MUTABLE = {
    # Counters and lists that are filled while something is read or judged, in one function call.
    "cds_service.fhir.intake.arrival.Tally": "counts what the pages of a delivery contain",
    "cds_service.sources.one_patient._Contents": "gathers the contents of a Bundle",
    "cds_service.sources.own_keys._Contents": "gathers what a value contains",
    "hooks.potassium_hazards.Hazards": "gathers the hazards of an order, drug by drug",
    # A thousand of them are decoded of a large record; copies for each change would cost time.
    "cds_service.fhir.values.peeks.Peek": (
        "a result that is read, to which its report, specimen or parent adds what holds for it"
    ),
    # Frozen, with `cached_property` (a lock on Python 3.11), a call took 1 to 5 % longer.
    "cds_service.fhir.read.concepts.CodeableConcept": "reads its texts on demand and keeps them",
}
"""Record classes that change after they are made, with the reason. None of them is a fact; a
`CodeableConcept` is part of facts, and what a rule sees of it never changes.
"""


def _modules() -> Iterator[str]:
    for package in (cds_service, hooks):
        yield package.__name__
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(_NOT_IMPORTED):
                yield module.name


def is_record(found: object) -> bool:
    """Whether something is a class of records."""
    return isinstance(found, type) and (
        dataclasses.is_dataclass(found) or issubclass(found, msgspec.Struct | BaseModel)
    )


def _records() -> dict[str, type[Any]]:
    """Every record class at the top level of a module, by the name with its module."""
    return {
        f"{name}.{found.__qualname__}": found
        for name in _modules()
        for found in vars(importlib.import_module(name)).values()
        if is_record(found) and found.__module__ == name
    }


RECORDS = _records()


def fields_of(record: type[Any]) -> tuple[str, ...]:
    """The names of the fields of a record class."""
    if issubclass(record, msgspec.Struct):
        return record.__struct_fields__
    if issubclass(record, BaseModel):
        return tuple(record.model_fields)
    return tuple(field.name for field in dataclasses.fields(record))


def made(record: type[Any]) -> Any:
    """A record whose fields are empty, or have no value yet."""
    if issubclass(record, msgspec.Struct):
        return record(**dict.fromkeys(record.__struct_fields__))
    if issubclass(record, BaseModel):
        return record.model_construct()
    return object.__new__(record)


def assignable(record: type[Any]) -> list[str]:
    """The fields of a record class to which a value can be assigned."""
    one, accepted = made(record), []
    for name in fields_of(record):
        try:
            setattr(one, name, None)
        except (AttributeError, ValueError):  # pydantic raises the latter
            continue
        accepted.append(name)
    return accepted


def test_no_field_of_a_record_can_be_assigned() -> None:
    changing = {
        name: fields
        for name in sorted(RECORDS.keys() - MUTABLE.keys())
        if (fields := assignable(RECORDS[name]))
    }
    assert not changing, "freeze these, or say in MUTABLE why they change"


def test_what_is_listed_as_mutable_is_a_record_that_changes() -> None:
    assert {name for name in MUTABLE if name in RECORDS and assignable(RECORDS[name])} == set(
        MUTABLE
    )


def _declared() -> set[str]:
    """What looks like a record class in the source, wherever it is defined."""
    found = set()
    for name in _modules():
        path = Path(str(importlib.import_module(name).__file__))
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source if _RECORD.search(source) else "")):
            if isinstance(node, ast.ClassDef):
                written = [*node.bases, *node.decorator_list]
                if any(_RECORD.search(ast.unparse(one)) for one in written):
                    found.add(f"{name}.{node.name}")
    return found


def test_every_class_that_is_written_as_a_record_is_tried() -> None:
    declared = _declared()
    assert len(declared) > 150
    assert declared <= RECORDS.keys(), "define it at the top level of its module"


@dataclasses.dataclass(slots=True, unsafe_hash=True)
class _Unfrozen:
    first: int
    second: int = 2


class _HalfFrozen(msgspec.Struct):
    first: int


@dataclasses.dataclass(frozen=True, slots=True)
class _Frozen:
    first: int


class _Model(BaseModel):
    first: int


def test_a_record_that_can_be_changed_is_recognised() -> None:
    assert assignable(_Unfrozen) == ["first", "second"]
    assert assignable(_HalfFrozen) == assignable(_Model) == ["first"]
    assert not assignable(_Frozen)


def test_shapes_made_from_json_schemas_are_frozen() -> None:
    from cds_service.calls import shapes

    shape = shapes.struct("request", {"context": dict, "prefetch": dict})
    assert not assignable(shape)


def forced(source: str) -> list[int]:
    """The lines that use ``object.__setattr__`` or msgspec's ``force_setattr``."""
    if not any(name in source for name in _FORCED):  # parsing takes longest
        return []
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and node.attr in _FORCED)
        or (isinstance(node, ast.Name) and node.id in _FORCED)
    ]


def test_nothing_is_written_to_a_frozen_object_by_force() -> None:
    writes = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("cds_service", "hooks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in forced(path.read_text(encoding="utf-8"))
    ]
    assert not writes, f"compute the value before the object is made: {', '.join(writes)}"


def test_a_forced_write_is_recognised() -> None:
    assert forced("object.__setattr__(self, 'same', True)") == [1]
    assert forced("put = object.__setattr__") == [1]
    assert forced("msgspec.structs.force_setattr(one, 'same', True)") == [1]
    assert forced("setattr(one, 'same', True)") == []
