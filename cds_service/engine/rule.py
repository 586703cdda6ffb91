"""A rule: its declaration, and the answers it can give.

There are three answers, never two: a `Finding` (fired), `NotFired`, or `CannotTell`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from cds_service.core.facts import Allergy, Condition, Kind, Order, Problem, Result
from cds_service.core.knowledge import Limit
from cds_service.core.medications import Medication
from cds_service.core.times import Window

if TYPE_CHECKING:
    from cds_service.core.patient import Facts


class Tier(StrEnum):
    """Whether the topic's complaint must be documented before a rule may fire."""

    ALWAYS = "A"
    COMPLAINT = "C"


class Indicator(IntEnum):
    """The severity of a card; a larger number is more severe."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    def __str__(self) -> str:
        return _INDICATOR_WORDS[self]


_INDICATOR_WORDS = {indicator: indicator.name.lower() for indicator in Indicator}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that a rule reads.

    ``kind`` is the kind of data. For results, ``analyte`` is what is read and ``within`` how
    far back; for the others, ``concepts`` are what is looked for. Without the data of a
    ``required`` need the rule cannot tell; an optional need only refines its answer.
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


# --- What a rule answers ----------------------------------------------------------------


class OrderTest(Struct, frozen=True):
    """Suggest ordering a test, procedure or referral, by its key in the order catalogue.

    It is not offered where it is already ordered: where active orders cover all of ``parts``
    (the parts of a panel that the rule is about), or, without ``parts``, anything it covers.
    """

    key: str
    why: str = ""
    parts: tuple[str, ...] = ()


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
    """One fact that a rule relied on, with the limit it was compared with.

    ``own_range`` is True where the laboratory's own reference range was used instead.
    ``note`` is a short remark in the rule's words ("stale", "computed, CKD-EPI 2021").
    """

    fact: Fact
    limit: Limit | None = None
    own_range: bool = False
    note: str = ""


class Finding(Struct, frozen=True):
    """A rule fired.

    ``summary`` is one line without patient text, at most 139 characters. ``advice`` says what
    to do, as Markdown paragraphs or list items, in at most 60 words on an info card and 90 on
    the others (patient text only through `cds_service.core.text.quoted`). ``sections`` are
    pairs of a heading and Markdown, shown after it; ``background`` are the figures and trials
    behind the advice. ``missing`` is what was absent or stale; ``overrides`` are codes of the
    override reasons that fit; ``about`` are the draft orders that the finding judges, as
    ``Type/id``.
    """

    indicator: Indicator
    summary: str
    advice: tuple[str, ...]
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    strength: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    overrides: tuple[str, ...] = ()
    reference: str = (
        ""  # key of the reference that the card shows as its source; default: the rule's first
    )
    sections: tuple[tuple[str, str], ...] = ()
    background: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


class NotFired(Struct, frozen=True):
    """A rule has nothing to say; ``because`` gives the reason in one phrase for the trace."""

    because: str
    evidence: tuple[Evidence, ...] = ()


class CannotTell(Struct, frozen=True):
    """A rule could not answer; each of ``because`` names what was missing, stale or unreadable.

    ``trigger`` is True where the trigger of the rule is present and only the rest is missing:
    then silence would look like an all-clear. ``failed`` is True where nothing is missing but
    the rule raised an exception. ``unjudged`` names what could not be judged although there is a
    result: ``because`` then says why.
    """

    because: tuple[str, ...]
    problems: tuple[Problem, ...] = ()
    trigger: bool = False
    evidence: tuple[Evidence, ...] = ()
    failed: bool = False
    unjudged: str = ""


Answer = Finding | NotFired | CannotTell
Check = Callable[["Facts"], Answer]
Review = Callable[["Facts", "Sequence[Outcome]"], Answer]


# A rule is made once. Compared by identity, it is a cheap key for what is derived from it.
@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One computable statement, with everything that is needed to review it.

    ``needs``, ``limits``, ``offers`` (keys of the orders it may suggest) and ``overrides`` (codes
    of the override reasons it may give) are all that it reads, uses and offers: the tests
    evaluate a rule through `cds_service.engine.declared`, which refuses anything else.
    ``judges`` (order hooks) names the medication classes or kinds of order of a judged draft
    for which the rule is evaluated. ``minors`` is True where it may also fire for patients under
    18. The card of a ``persistent`` rule is never held back because it was answered before.
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
    review: Review | None = None  # sees the outcomes of the other rules; runs last
    otherwise: Finding | None = None  # what a review answers where it raises an exception
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
    """Decorator that makes a `Rule` of a function from facts to an answer.

    The arguments are the fields of `Rule`; the function's docstring becomes its document.
    """

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
    """The same rule, evaluated last with the outcomes of all other rules.

    ``otherwise`` is its answer where the review itself fails: no other rule would report that.
    """
    return replace(
        base, check=None, review=review, otherwise=otherwise, document=review.__doc__ or ""
    )
