"""Whether topics that are served together agree: a key that two of them use must mean the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass

from msgspec import Struct

from cds_service.engine.topic import Topic

_FIX = "make them equal, or use another key"

Entries = Mapping[str, object]

_SHARED: Mapping[str, Callable[[Topic], Entries]] = {
    "analyte": lambda topic: topic.knowledge.analytes,
    "limit": lambda topic: topic.knowledge.limits(None, ""),
    "reference": lambda topic: topic.knowledge.references,
    "order": lambda topic: topic.knowledge.orderables,
    "observed condition": lambda topic: {
        condition.key: condition for condition in topic.knowledge.observing.conditions
    },
    "method of results": lambda topic: topic.knowledge.observing.methods,
    "substitute for an analyte": lambda topic: topic.knowledge.observing.instead,
    "option": lambda topic: {option.name: option for option in topic.options},
    "hook": lambda topic: {service.hook.name: service.hook for service in topic.services},
}
"""What topics may share, by key."""


def contradictions(topics: Sequence[Topic]) -> Iterator[str]:
    """Each key to which two topics give different meanings, as a sentence without a full stop.

    An id of a service or rule belongs to one topic only.
    """
    yield from _owned_twice(
        "service", [(topic.key, [service.id for service in topic.services]) for topic in topics]
    )
    yield from _owned_twice(
        "rule", [(topic.key, [rule.id for rule in topic.rules]) for topic in topics]
    )
    for kind, entries_of in _SHARED.items():
        seen: dict[str, tuple[str, object]] = {}
        for topic in topics:
            for key, entry in entries_of(topic).items():
                first, known = seen.setdefault(key, (topic.key, entry))
                different = differences(known, entry)
                if different:
                    yield (
                        f"topic {topic.key}: {kind} {key} contradicts that of {first}: "
                        f"{', '.join(different)}; {_FIX}"
                    )
    yield from _read_differently(
        "analyte", [(topic, topic.knowledge.analytes) for topic in topics], _reading
    )
    yield from _read_differently(
        "order", [(topic, topic.knowledge.orderables) for topic in topics], _recognising
    )


def _read_differently(
    kind: str,
    entries: Sequence[tuple[Topic, Entries]],
    reading: Callable[[Topic, str], Entries],
) -> Iterator[str]:
    owners: dict[str, Topic] = {}
    for topic, own in entries:
        for key in own:
            owner = owners.setdefault(key, topic)
            if owner is not topic:
                known = reading(owner, key)
                for name, value in reading(topic, key).items():
                    if not _same(known[name], value):
                        yield (
                            f"topic {topic.key}: {kind} {key}: {name} differ from those of "
                            f"{owner.key}; {_FIX}"
                        )


def _owned_twice(kind: str, ids: Sequence[tuple[str, Sequence[str]]]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for topic, own in ids:
        for id_ in own:
            first = owners.setdefault(id_, topic)
            if first != topic:
                yield (
                    f"topic {topic}: {kind} {id_} also belongs to {first}; rename one of the two"
                )


def _reading(topic: Topic, analyte: str) -> Entries:
    """How a topic finds, recognises and computes results of an analyte."""
    knowledge = topic.knowledge
    return {
        "the codes by which it is searched for": frozenset(
            (coding.system, coding.code) for coding in knowledge.codes(analyte)
        ),
        "its code list and names of observations": (
            knowledge.vocabularies.observations.rows_of(analyte)
        ),
        "the results computed for it": knowledge.computed.get(analyte),
    }


def _recognising(topic: Topic, key: str) -> Entries:
    """How a topic recognises that an order is already made."""
    lists, covers = topic.knowledge.vocabularies, topic.knowledge.orderables[key].covers
    return {
        "the code lists and names of what it covers": {
            concept: (lists.orders.rows_of(concept), lists.medications.rows_of(concept))
            for concept in covers
        }
    }


def differences(first: object, second: object) -> tuple[str, ...]:
    """The names of the fields in which two entries differ; an entry without fields is "value"."""
    if _same(first, second):
        return ()
    if type(first) is type(second):
        different = tuple(
            name
            for name in _field_names(first)
            if not _same(getattr(first, name), getattr(second, name))
        )
        if different:
            return different
    return ("value",)


def _same(first: object, second: object) -> bool:
    """Whether two values have the same content: some of their classes compare by identity."""
    if first is second:
        return True
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(
            _same(first[key], second[key]) for key in first
        )
    if isinstance(first, Sequence) and isinstance(second, Sequence) and not isinstance(first, str):
        return len(first) == len(second) and all(map(_same, first, second))
    names = _field_names(first)
    if names and type(first) is type(second):
        return all(_same(getattr(first, name), getattr(second, name)) for name in names)
    return first == second


def _field_names(value: object) -> tuple[str, ...]:
    if isinstance(value, Struct):
        return value.__struct_fields__
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(field.name for field in fields(value))
    return ()
