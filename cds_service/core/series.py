"""The results of one analyte, newest first, read only as far as they are needed.

A record may hold thousands of results; a rule wants the newest usable one of each
analyte. A `Candidate` is a result of which only code, status and date are known; its
value is read only when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from enum import Enum
from fractions import Fraction
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol, TypeVar

from msgspec import Struct

from cds_service.core.facts import Problem, Result


class Worse(Enum):
    """Which of two results of the same moment counts: the worse one for the rule."""

    LOW = "low"
    HIGH = "high"

    __hash__ = object.__hash__  # often a dictionary key, and Enum's own is slow (Python code)


# With a dict, so that `cached_property` works.
class Candidate(Struct, frozen=True, eq=False, dict=True):
    """A dated result whose value has not been read yet; it is read once."""

    when: datetime
    day: date
    day_only: bool
    _read: Callable[[], Result | Problem]

    @cached_property
    def answer(self) -> Result | Problem:
        """The result, or why it cannot be used."""
        return self._read()

    def ties_with(self, other: Candidate) -> bool:
        """Whether the two may be of the same moment."""
        if self.when == other.when:
            return True
        return self.day == other.day and (self.day_only or other.day_only)


class Newest(Struct, frozen=True):
    """The newest results of one analyte.

    ``result`` is the newest usable final one. ``tentative`` may cause a finding but never
    prevents one: a result that is not final yet, or has a remark on its sample (haemolysed, ...),
    and is newer than ``result`` or of the same moment. ``unusable`` are the problems newer than
    ``result`` or of its moment (all of them where it is None) together with all results without
    a date; a result with a remark is among them.
    """

    result: Result | None = None
    tentative: Result | None = None
    unusable: tuple[Problem, ...] = ()

    def unusable_except(self, used: Result | None) -> tuple[Problem, ...]:
        """What could not be used, except the result ``used`` that caused a finding."""
        if used is None or not used.remarks:
            return self.unusable
        return tuple(problem for problem in self.unusable if problem.source != used.source)


class Dated(Protocol):
    """Anything that has a date, even if nothing else of it has been read."""

    @property
    def when(self) -> datetime: ...


_D = TypeVar("_D", bound=Dated)
_when = attrgetter("when")
_NOTHING_MORE = frozenset({"no-value", "sample"})
_NO_TIE = timedelta(days=2)  # moments further apart are on different days in every time zone


# Final results of the newest moment, tentative ones newer or of that moment, newer problems.
_Foremost = tuple[list[Result], list[Result], list[Problem]]


class Series:
    """All results of one analyte.

    ``undated`` are results without a usable date: they are never the newest, and never
    forgotten either.
    """

    def __init__(
        self, candidates: Iterable[Candidate] = (), undated: Iterable[Problem] = ()
    ) -> None:
        self._opened = sorted(candidates, key=_when, reverse=True) if candidates else []
        self._dated: Sequence[Dated] = self._opened
        self._open: Callable[[Any], Candidate]
        self._foremost: _Foremost | None = None
        self._same_for_both: Newest | None = (
            None  # the newest, where it is the same for both `Worse`
        )
        self.undated = tuple(undated)

    @classmethod
    def of(
        cls, dated: Iterable[_D], candidate: Callable[[_D], Candidate], undated: Iterable[Problem]
    ) -> Series:
        """A series that makes each candidate only when it is needed."""
        series = cls(undated=undated)
        series._dated = sorted(dated, key=_when, reverse=True)
        series._open = candidate
        return series

    def __len__(self) -> int:
        return len(self._dated) + len(self.undated)

    def newest_first(self) -> Iterator[Candidate]:
        """Every dated result, newest first, made one at a time."""
        for at in range(len(self._dated)):
            yield self._candidate(at)

    def _candidate(self, at: int) -> Candidate:
        if at == len(self._opened):
            self._opened.append(self._open(self._dated[at]))
        return self._opened[at]

    def finals(self, since: datetime | None = None) -> Iterable[Result]:
        """Every usable final result, newest first; none from before ``since``."""
        for candidate in self.newest_first():
            if since is not None and candidate.when < since:
                return
            answer = candidate.answer
            if isinstance(answer, Result) and not answer.preliminary:
                yield answer

    def newest(self, worse: Worse) -> Newest:
        """The newest usable result, and the tentative and unusable ones that are newer."""
        if self._same_for_both is not None:
            return self._same_for_both
        if self._foremost is None:
            if (usual := self._usual()) is not None:
                self._same_for_both = usual
                return usual
            self._foremost = self._find_foremost()
        final, tentative, newer = self._foremost
        found = Newest(
            result=_worst(final, worse),
            tentative=_worst(tentative, worse),
            unusable=(*newer, *self.undated),
        )
        if len(final) < 2 and len(tentative) < 2:
            self._same_for_both = found
        return found

    def _usual(self) -> Newest | None:
        """The newest where it is final, without a remark, and days newer than the next."""
        dated = self._dated
        if not dated or (len(dated) > 1 and dated[0].when - dated[1].when <= _NO_TIE):
            return None
        answer = self._candidate(0).answer
        if isinstance(answer, Problem) or answer.preliminary or answer.remarks:
            return None
        return Newest(answer, None, self.undated)

    def _find_foremost(self) -> _Foremost:
        unusable: list[tuple[Candidate, Problem]] = []
        preliminary: list[tuple[Candidate, Result]] = []
        final: list[tuple[Candidate, Result]] = []
        remarked: list[tuple[Candidate, Result]] = []
        for at, dated in enumerate(self._dated):
            if final and final[0][0].when - dated.when > _NO_TIE:
                break
            candidate = self._candidate(at)
            if final and not candidate.ties_with(final[0][0]):
                break
            answer = candidate.answer
            if isinstance(answer, Problem):
                unusable.append((candidate, answer))
            elif answer.remarks and not answer.preliminary:
                unusable.append((candidate, _doubtful(answer)))
                if not remarked or candidate.ties_with(remarked[0][0]):
                    remarked.append((candidate, answer))
            elif not answer.preliminary:
                final.append((candidate, answer))
            elif not preliminary or candidate.ties_with(preliminary[0][0]):
                preliminary.append((candidate, answer))
        # An unusable result of the same moment as a usable one may be the worse of the two, unless
        # it had no value, or a rule weighs its value together with the other.
        newer = [
            problem
            for candidate, problem in unusable
            if problem.critical
            or problem.kind not in _NOTHING_MORE
            or not any(candidate.when == usable.when for usable, _ in final)
        ]
        tentative = [result for _, result in (*preliminary, *remarked)]
        return [result for _, result in final], tentative, newer


NO_RESULTS = Series()
"""The series of an analyte that was never measured."""


def _doubtful(result: Result) -> Problem:
    """The problem of a result with a remark on its sample: it cannot clear a finding."""
    return Problem(
        "sample",
        result.analyte.key,
        f"the sample was reported {' and '.join(result.remarks)}",
        result.source,
        result.when,
        result.critical,
        result,
    )


def _worst(tied: list[Result], worse: Worse) -> Result | None:
    if len(tied) < 2:
        return tied[0] if tied else None

    def size(result: Result) -> tuple[Fraction, int]:
        # Of equal numbers "<3.0" is the lowest and ">3.0" the highest.
        leaning = (result.value.high is None) - (result.value.low is None)
        return result.canonical_middle(), leaning

    pick = min if worse is Worse.LOW else max
    return pick(tied, key=size)
