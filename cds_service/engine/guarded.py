"""Parts of the facts as one rule may see them: drafts, options, limits and results.

They have the attributes of the objects that they stand for, and refuse what the rule does not
declare.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Never

from cds_service.core.knowledge import KnowledgeError, Limit, Limits
from cds_service.core.record import Drafts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date, datetime

    from cds_service.core.facts import Problem, Result
    from cds_service.core.series import Series
    from cds_service.engine.rule import Rule

_DRUGS = frozenset({"medications", "selected_medications"})
_TESTS = frozenset({"orders", "selected_orders"})


class UndeclaredError(KnowledgeError):
    """A rule read, used or offered something that its declaration does not name."""


class GuardedDrafts:
    """The drafts of the classes and kinds of order that a rule judges or needs.

    Without classes it may not read medications, and without kinds of order it may not read tests.
    """

    def __init__(self, whole: Drafts, classes: frozenset[str], covers: frozenset[str], rule: Rule):
        self._seen = Drafts(
            tuple(draft for draft in whole.medications if not classes.isdisjoint(draft.classes)),
            tuple(draft for draft in whole.orders if not covers.isdisjoint(draft.covers)),
        )
        self._refused = {
            *(() if classes else _DRUGS),
            *(() if covers else _TESTS),
            *(() if classes or covers else ("signed",)),
        }
        self._rule = rule

    def __getattr__(self, name: str) -> object:
        if name in self._refused:
            raise UndeclaredError(
                f"rule {self._rule.id} reads {name} of the drafts, although it neither judges nor "
                "needs any"
            )
        return getattr(self._seen, name)


class ProblemsOnly:
    """A record that gives its problems and nothing else, for rules that review others."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = problems

    def __getattr__(self, name: str) -> Never:
        raise UndeclaredError(
            f"a reviewing rule reads {name} of the record instead of asking the facts"
        )


class GuardedOptions(Mapping[str, str]):
    """The options of the rule's topic."""

    def __init__(self, options: Mapping[str, str], names: Collection[str], rule: Rule) -> None:
        self._options, self._names, self._rule = options, names, rule

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise UndeclaredError(f"rule {self._rule.id} reads the option {name} of another topic")
        return self._options[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._options if name in self._names)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class GuardedLimits(Limits):
    """The limits that the rule declares."""

    def __init__(self, limits: Limits, rule: Rule) -> None:
        super().__init__(dict(limits))
        self._rule = rule

    def __getitem__(self, key: str) -> Limit:
        if key not in self._rule.limits:
            raise UndeclaredError(
                f"rule {self._rule.id} uses the limit {key}, which it does not declare"
            )
        return super().__getitem__(key)


class GuardedSeries(Mapping[str, Any]):
    """The results that the rule's needs name, each as far back as its needs say.

    ``check`` raises UndeclaredError for any other analyte; ``earliest`` gives the first day, or
    None where there is no such limit.
    """

    def __init__(
        self,
        series: Mapping[str, Series],
        named: Collection[str],
        check: Callable[[str], None],
        earliest: Callable[[str], date | None],
    ) -> None:
        self._series, self._named, self._check = series, named, check
        self._earliest = earliest

    def __getitem__(self, analyte: str) -> _Since:
        self._check(analyte)
        return _Since(self._series[analyte], self._earliest(analyte))

    def __iter__(self) -> Iterator[str]:
        return (analyte for analyte in self._series if analyte in self._named)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Since:
    """A series without the results before a given day."""

    def __init__(self, series: Series, earliest: date | None) -> None:
        self._series, self._earliest = series, earliest

    def finals(self, since: datetime | None = None) -> Iterable[Result]:
        """Every usable final result of the days that the rule may read, newest first."""
        for result in self._series.finals(since):
            if self._earliest is not None and result.day < self._earliest:
                return
            yield result

    def __len__(self) -> int:
        return len(self._series)

    def __getattr__(self, name: str) -> object:
        return getattr(self._series, name)
