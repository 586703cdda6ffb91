"""The results of one analyte, newest first, read only as far as somebody asks.

A record may hold thousands of results; a rule wants the newest usable one of each
analyte. A `Candidate` is a result of which only code, status and date are known; its
value is read when it is its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from fractions import Fraction
from functools import cached_property

from cds_service.core.facts import Problem, Result


class Worse(Enum):
    """Which of two results of the same moment counts: the one worse for the rule."""

    LOW = "low"
    HIGH = "high"


class Candidate:
    """A dated result that has not been read yet. Reading happens once."""

    def __init__(
        self, when: datetime, day: date, day_only: bool, read: Callable[[], Result | Problem]
    ) -> None:
        self.when = when
        self.day = day
        self.day_only = day_only
        self._read = read

    @cached_property
    def answer(self) -> Result | Problem:
        """The result, or why it cannot be used."""
        return self._read()

    def ties_with(self, other: Candidate) -> bool:
        """Whether the two are of the same moment as far as anybody can tell."""
        if self.when == other.when:
            return True
        return self.day == other.day and (self.day_only or other.day_only)


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest results of one analyte.

    ``result`` is the newest usable final one; ``preliminary`` a not yet final one, newer or
    of the same moment;
    ``unusable`` are the problems newer than ``result`` (all there are where it is None),
    together with results that carry no date at all.
    """

    result: Result | None = None
    preliminary: Result | None = None
    unusable: tuple[Problem, ...] = ()


class Series:
    """All results of one analyte.

    ``undated`` are results without a usable date: they can never be the newest, and
    are never forgotten either.
    """

    def __init__(
        self, candidates: Iterable[Candidate] = (), undated: Iterable[Problem] = ()
    ) -> None:
        self._candidates = sorted(candidates, key=lambda one: one.when, reverse=True)
        self.undated = tuple(undated)

    def __len__(self) -> int:
        return len(self._candidates) + len(self.undated)

    def finals(self) -> Iterable[Result]:
        """Every usable final result, newest first."""
        for candidate in self._candidates:
            answer = candidate.answer
            if isinstance(answer, Result) and not answer.preliminary:
                yield answer

    def newest(self, worse: Worse) -> Newest:
        """The newest usable result, and what stands before it."""
        unusable: list[tuple[Candidate, Problem]] = []
        preliminary: list[tuple[Candidate, Result]] = []
        final: list[tuple[Candidate, Result]] = []
        for candidate in self._candidates:
            if final and not candidate.ties_with(final[0][0]):
                break
            answer = candidate.answer
            if isinstance(answer, Problem):
                unusable.append((candidate, answer))
            elif not answer.preliminary:
                final.append((candidate, answer))
            elif not preliminary or candidate.ties_with(preliminary[0][0]):
                preliminary.append((candidate, answer))
        # At the very moment of a usable result an unusable one is not newer; where one of the
        # two has only a date, it may be.
        newer = [
            problem
            for candidate, problem in unusable
            if not any(candidate.when == usable.when for usable, _ in final)
        ]
        return Newest(
            result=_worst(final, worse),
            preliminary=_worst(preliminary, worse),
            unusable=(*newer, *self.undated),
        )


def _worst(tied: list[tuple[Candidate, Result]], worse: Worse) -> Result | None:
    if not tied:
        return None
    results = [result for _, result in tied]
    if len(results) == 1:
        return results[0]

    def size(result: Result) -> tuple[Fraction, int]:
        # Of equal numbers "<3.0" is the lowest and ">3.0" the highest.
        leaning = (result.value.high is None) - (result.value.low is None)
        return result.unit.to_canonical(result.value.middle()), leaning

    pick = min if worse is Worse.LOW else max
    return pick(results, key=size)
