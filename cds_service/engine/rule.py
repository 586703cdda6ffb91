"""A rule: what it needs, what it answers, and what makes it trustworthy enough to run.

Three answers, never two: a `Finding` (fired), `NotFired`, or `CannotTell`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from cds_service.core.facts import Allergy, Condition, Kind, Medication, Order, Problem, Result
from cds_service.core.knowledge import KnowledgeError, Limit
from cds_service.core.times import Window
from cds_service.engine.overrides import OVERRIDES

if TYPE_CHECKING:
    from cds_service.core.patient import Facts


class Tier(StrEnum):
    """Whether the topic's complaint must be documented before a rule may fire."""

    ALWAYS = "A"
    CRAMPS = "C"


class Indicator(IntEnum):
    """The severity of a card; the larger the more severe."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    def __str__(self) -> str:
        return _INDICATOR_WORDS[self]


_INDICATOR_WORDS = {indicator: indicator.name.lower() for indicator in Indicator}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a rule reads.

    ``kind`` of data; for results the ``analyte`` and how far back it is read; for the
    others the ``concepts`` looked for. Without a ``required`` need the rule cannot tell;
    an optional one only refines its answer.
    """

    kind: Kind
    analyte: str = ""
    within: Window | None = None
    concepts: tuple[str, ...] = ()
    required: bool = True

    def optional(self) -> Need:
        """The same need, but the rule can answer without it."""
        return Need(self.kind, self.analyte, self.within, self.concepts, required=False)


def results(analyte: str, within: Window) -> Need:
    """The newest results of one analyte."""
    return Need(Kind.RESULTS, analyte=analyte, within=within)


def performed(concept: str, within: Window) -> Need:
    """A panel that was done, whatever its results were."""
    return Need(Kind.RESULTS, within=within, concepts=(concept,))


def conditions(*concepts: str) -> Need:
    """Problems and diagnoses that name one of the concepts."""
    return Need(Kind.CONDITIONS, concepts=concepts)


def medications(*classes: str) -> Need:
    """Active medications of the classes."""
    return Need(Kind.MEDICATIONS, concepts=classes)


def allergies(*concepts: str) -> Need:
    """Allergies and intolerances to the substances."""
    return Need(Kind.ALLERGIES, concepts=concepts, required=False)


def orders(*covers: str) -> Need:
    """Tests already ordered."""
    return Need(Kind.ORDERS, concepts=covers, required=False)


def demographics() -> Need:
    """Age and sex."""
    return Need(Kind.PATIENT, required=False)


# --- What a rule says -------------------------------------------------------------------


class OrderTest(Struct, frozen=True):
    """Suggest ordering a test, procedure or referral, by its key in the order catalogue.

    It is not offered again where an active order answers it: one for all of ``wanted``
    (of a panel, the parts that the rule is about), or without these, for any that it covers.
    """

    key: str
    why: str = ""
    wanted: tuple[str, ...] = ()


class DraftMedication(Struct, frozen=True):
    """Suggest a medication order (intent proposal) by its key in the order catalogue."""

    key: str
    why: str = ""


class RemoveDraft(Struct, frozen=True):
    """Suggest removing a draft order; ``reference`` is its ``Type/id``."""

    reference: str
    name: str


Suggestion = OrderTest | DraftMedication | RemoveDraft
Fact = Result | Condition | Medication | Order | Allergy


class Evidence(Struct, frozen=True):
    """One fact a rule leaned on, with the limit it was held against.

    ``own_range`` is True where the laboratory's own reference limit decided instead.
    ``note`` is a short remark in the rule's words ("stale", "computed, CKD-EPI 2021").
    """

    fact: Fact
    limit: Limit | None = None
    own_range: bool = False
    note: str = ""


class Finding(Struct, frozen=True):
    """A rule fired.

    ``summary`` is one line without patient text, at most 139 characters; ``advice`` are
    Markdown paragraphs or list items in the rule's own words (patient text only through
    `cds_service.core.text.quoted`); ``missing`` what was absent or stale; ``overrides``
    codes of the override reasons that fit. ``advice`` says what to do, in at most 60 words on
    an info card and 90 on the others. ``sections`` are pairs of a heading and Markdown, shown
    after it; ``background`` are the figures and trials behind the advice. ``about`` are the
    draft orders that the finding judges, as ``Type/id``.
    """

    indicator: Indicator
    summary: str
    advice: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    strength: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    overrides: tuple[str, ...] = ()
    reference: str = ""  # key of the reference the card shows as its source; else the rule's first
    sections: tuple[tuple[str, str], ...] = ()
    background: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


class NotFired(Struct, frozen=True):
    """A rule looked and has nothing to say; ``because`` is one sentence for the trace."""

    because: str
    evidence: tuple[Evidence, ...] = ()


class CannotTell(Struct, frozen=True):
    """A rule could not answer; each of ``because`` names what was missing, stale or unreadable.

    ``trigger`` is True where what the rule watches for is there and only the rest is
    missing: then silence would look like an all-clear. ``failed`` is True where nothing
    is missing but the rule itself is at fault: it raised an exception.
    """

    because: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    trigger: bool = False
    evidence: tuple[Evidence, ...] = ()
    failed: bool = False


Answer = Finding | NotFired | CannotTell
Check = Callable[["Facts"], Answer]
Review = Callable[["Facts", "Sequence[Outcome]"], Answer]


# A rule is made once; compared as what it is, it is a cheap key of what is known about it.
@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One computable statement, with everything somebody needs to vouch for it.

    ``needs``, ``limits``, ``offers`` (keys of the orders it may suggest) and ``overrides`` (codes
    of the reasons it may give) are all that it reads, uses and offers: the tests ask a rule
    through `cds_service.engine.declared`, which refuses the rest.
    ``judges`` (order hooks) names the medication classes or order kinds of a judged draft
    for which the rule is asked. ``minors`` is True where it may also fire under 18. The card of a
    ``persistent`` rule is never held back because it was answered.
    """

    id: str
    title: str
    version: str
    tier: Tier
    references: tuple[str, ...]
    needs: tuple[Need, ...]
    owner: str
    check: Check | None
    limits: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    judges: frozenset[str] = frozenset()
    minors: bool = False
    persistent: bool = False
    changed: str = ""  # ISO day of the last change
    review: Review | None = None  # sees the other rules' answers; runs last
    otherwise: Finding | None = None  # what a review says where it fails itself
    document: str = ""


class Outcome(Struct, frozen=True):
    """What one rule answered in one call."""

    rule: Rule
    answer: Answer


def rule(
    *,
    id: str,
    title: str,
    version: str,
    tier: Tier,
    references: Sequence[str],
    needs: Sequence[Need],
    limits: Sequence[str] = (),
    offers: Sequence[str] = (),
    overrides: Sequence[str] = (),
    owner: str = "clinical content",
    judges: Sequence[str] = (),
    minors: bool = False,
    persistent: bool = False,
    changed: str,
) -> Callable[[Check], Rule]:
    """Make a `Rule` of a function from facts to an answer."""

    def make(check: Check) -> Rule:
        return Rule(
            id=id,
            title=title,
            version=version,
            tier=tier,
            references=tuple(references),
            needs=tuple(needs),
            owner=owner,
            check=check,
            limits=tuple(limits),
            offers=tuple(offers),
            overrides=tuple(overrides),
            judges=frozenset(judges),
            minors=minors,
            persistent=persistent,
            changed=changed,
            document=check.__doc__ or "",
        )

    return make


def reviewing(base: Rule, review: Review, otherwise: Finding | None = None) -> Rule:
    """The same rule, asked last and shown the answers of all others.

    ``otherwise`` is its answer where the review itself fails: nobody reviews the rule that
    reports what the others could not tell.
    """
    return replace(
        base, check=None, review=review, otherwise=otherwise, document=review.__doc__ or ""
    )


def checked(
    rules: Sequence[Rule],
    references: Mapping[str, object],
    limits: Mapping[str, Limit],
    analytes: Mapping[str, object],
    orderables: Mapping[str, object],
) -> None:
    """Raise a KnowledgeError that names the rule of a service, and what it lacks."""
    seen: set[str] = set()
    for one in rules:
        if one.id in seen:
            raise KnowledgeError(f"rule {one.id}: two rules have this id")
        seen.add(one.id)
        for flaw in flaws(one, references, limits, analytes, orderables):
            raise KnowledgeError(flaw if flaw.startswith("limit ") else f"rule {one.id}: {flaw}")


def flaws(
    rule: Rule,
    references: Mapping[str, object],
    limits: Mapping[str, Limit],
    analytes: Mapping[str, object],
    orderables: Mapping[str, object],
) -> Iterator[str]:
    """What is wrong with the declaration of a rule, and what it names that does not exist."""
    for attribute in ("id", "title", "version", "owner", "changed", "references", "needs"):
        if not getattr(rule, attribute):
            yield f"it has no {attribute}"
    if rule.version.count(".") != 2:
        yield f"version {rule.version} is not like 1.0.0"
    for key in rule.references:
        if key not in references:
            yield f"reference {key} is not in the references"
    for key in rule.limits:
        if key not in limits:
            yield f"limit {key} is not in the limits"
            continue
        if not limits[key].unit:
            yield f"limit {key} has no unit"
        if limits[key].reference not in references:
            yield f"limit {key}: reference {limits[key].reference} is not in the references"
    for key in rule.offers:
        if key not in orderables:
            yield f"order {key} is not in the orders"
    for code in rule.overrides:
        if code not in OVERRIDES:
            yield f"{code} is not a known override reason"
    for need in rule.needs:
        if need.analyte and need.analyte not in analytes:
            yield f"it needs an unknown analyte {need.analyte}"
