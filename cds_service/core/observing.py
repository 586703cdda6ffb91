"""What a topic knows about Observations besides its analytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


# Made once; compared by identity.
@dataclass(frozen=True, slots=True, eq=False)
class ObservedCondition:
    """A condition that Observations state: by its status, by a test, or by the date of its end.

    ``key`` is the concept of the vocabulary of observations, ``condition`` that of the condition,
    and ``name`` its name ("Pregnancy"). An answer is recognised by its codes and lower-case words:
    an unsure one says nothing; a text that is neither yes nor no does not count as an answer; any
    other coded answer is a no. It holds for ``lasts``. A stated end (a due date) holds from
    ``lasts`` before it until ``overdue`` after it. The specimen does not matter.
    """

    key: str
    condition: str
    name: str
    yes_codes: frozenset[str]
    yes_words: frozenset[str]
    no_words: frozenset[str]
    unsure_codes: frozenset[str]
    unsure_words: frozenset[str]
    lasts: timedelta
    overdue: timedelta


@dataclass(frozen=True, slots=True)
class Observing:
    """What Observations say besides results.

    ``methods`` names the method of a result by a concept of its code; the first that fits counts.
    ``instead`` are concepts that answer the same question as an analyte but are something else,
    each with the key of the analyte and the reason why it is not read as that analyte.
    """

    methods: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    conditions: tuple[ObservedCondition, ...] = ()


NOTHING_MORE = Observing()
"""For a topic that knows nothing about Observations besides its analytes."""
