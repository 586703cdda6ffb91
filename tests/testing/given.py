"""Builders of one patient's facts, short enough for tables of cases.

    given(age=70).result("magnesium", "1.2 mg/dL", days_ago=3).has("cirrhosis").ask("low-magnesium")

``given`` builds facts directly; nothing here knows FHIR.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from cds_service.core.facts import (
    Allergy,
    Availability,
    Condition,
    Kind,
    KnownDesignation,
    Order,
    PerformedPanel,
    Presence,
    Problem,
    Reason,
    Result,
    Source,
    State,
)
from cds_service.core.medications import Dosage, Ingredient, Medication, Taking
from cds_service.core.patient import Facts, Site
from cds_service.core.quantities import Interval, decimals_of
from cds_service.core.record import Drafts, Patient, Record
from cds_service.core.series import Candidate, Series
from cds_service.engine.hook import Hook
from cds_service.engine.rule import Answer, CannotTell, Finding, NotFired, Outcome, Rule

if TYPE_CHECKING:
    from cds_service.engine.run import Engine


class Service(StrEnum):
    """The services of leg cramps."""

    PATIENT_VIEW = "leg-cramps-patient-view"
    ORDER_SELECT = "leg-cramps-order-select"
    ORDER_SIGN = "leg-cramps-order-sign"


NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NO_REASON = Reason()
CRAMPS = Reason(given=True, concepts=frozenset({"leg_cramps"}), words="nocturnal leg cramps")
OTHER_REASON = Reason(given=True, concepts=frozenset(), words="constipation")


class Given:
    """Facts under construction; every method returns the same builder."""

    def __init__(self, age: int | None = 50, sex: str = "female", deceased: bool = False) -> None:
        birth = None if age is None else date(NOW.year - age, 1, 1)
        self.patient = Patient(birth=birth, sex=sex, deceased=deceased)
        self.candidates: dict[str, list[Candidate]] = {}
        self.undated: dict[str, list[Problem]] = {}
        self.conditions: list[Condition] = []
        self.medications: list[Medication] = []
        self.orders: list[Order] = []
        self.allergies: list[Allergy] = []
        self.performed: list[PerformedPanel] = []
        self.draft_medications: list[Medication] = []
        self.draft_orders: list[Order] = []
        self.encounter = Reason()
        self.availability = {kind: Availability(State.GIVEN) for kind in Kind}
        self.problems: list[Problem] = []
        self.site: dict[str, object] = {}
        self.options: dict[str, str] = {}
        self.numbers = itertools.count(1)

    def result(
        self,
        analyte: str,
        text: str,
        *,
        days_ago: int = 1,
        low: str | None = None,
        high: str | None = None,
        preliminary: bool = False,
        day_only: bool = False,
        method: str = "",
        remarks: tuple[str, ...] = (),
    ) -> Given:
        """A usable result: ``"1.2 mg/dL"``, ``"<15 mL/min/{1.73_m2}"``."""
        from hooks.knowledge.files import analytes

        number, unit_text = text.split(" ", 1)
        comparator = number.rstrip("0123456789.")
        value = Decimal(number[len(comparator) :])
        known = analytes()[analyte]
        when = NOW - timedelta(days=days_ago)
        result = Result(
            analyte=known,
            value=Interval.compared(comparator, value),
            decimals=decimals_of(value),
            unit=known.units[unit_text],
            when=when,
            day=when.date(),
            day_only=day_only,
            source=Source(f"Observation/{analyte}-{next(self.numbers)}", "prefetch.results"),
            preliminary=preliminary,
            range_low=None if low is None else Decimal(low),
            range_high=None if high is None else Decimal(high),
            method=method,
            remarks=remarks,
        )
        self.candidates.setdefault(analyte, []).append(
            Candidate(when, when.date(), day_only, lambda: result)
        )
        return self

    def unusable(
        self,
        analyte: str,
        kind: str = "unknown-unit",
        *,
        days_ago: int | None = 1,
        critical: bool = False,
        value: str = "",
    ) -> Given:
        """A result that was sent but could not be used; it is undated if ``days_ago`` is None.

        ``value`` is what is known of it although its date cannot be used.
        """
        when = None if days_ago is None else NOW - timedelta(days=days_ago)
        source = Source(f"Observation/{analyte}-{next(self.numbers)}", "prefetch.results")
        known = None
        if value:
            other = Given().result(analyte, value).candidates[analyte][0].answer
            assert isinstance(other, Result)
            known = other
        reason = f"{kind} in {analyte}"
        problem = Problem(kind, analyte, reason, source, when, critical, known)
        if when is None:
            self.undated.setdefault(analyte, []).append(problem)
        else:
            self.candidates.setdefault(analyte, []).append(
                Candidate(when, when.date(), False, lambda: problem)
            )
        return self

    def has(
        self,
        *concepts: str,
        presence: Presence = Presence.ACTIVE,
        name: str = "",
        words: str = "",
        status: str = "active",
        severe: bool = False,
    ) -> Given:
        """A condition with these concepts."""
        self.conditions.append(
            Condition(
                concepts=frozenset(concepts),
                designation=KnownDesignation(name or " ".join(concepts).replace("_", " "), words),
                presence=presence,
                source=Source(f"Condition/{next(self.numbers)}", "prefetch.conditions"),
                clinical_status=status,
                severe=severe,
            )
        )
        return self

    def cramps(self, **more: object) -> Given:
        """Leg cramps, documented."""
        return self.has("leg_cramps", name="Nocturnal leg cramps", **more)  # type: ignore[arg-type]

    def takes(
        self,
        *classes: str,
        name: str = "",
        taking: Taking = Taking.ACTIVE,
        statement: bool = False,
        days_ago: int = 10,
        words: str = "",
        identity: frozenset[tuple[str, str]] = frozenset(),
        **more: object,
    ) -> Given:
        """A medication on the list."""
        self.medications.append(
            Medication(
                classes=frozenset(classes),
                designation=KnownDesignation(
                    name or " ".join(classes).replace("_", " "), words, identity
                ),
                taking=taking,
                statement=statement,
                source=Source(f"MedicationRequest/{next(self.numbers)}", "prefetch.medications"),
                when=NOW - timedelta(days=days_ago),
                **more,  # type: ignore[arg-type]
            )
        )
        return self

    def reported_stopped(self, *classes: str, name: str = "") -> Given:
        """Prescribed, and stopped by a newer statement: still a hazard, but no longer certain."""
        self.takes(*classes, name=name, days_ago=30)
        return self.takes(*classes, name=name, taking=Taking.STOPPED, statement=True, days_ago=2)

    def ordering(
        self,
        *classes: str,
        name: str = "",
        reason: Reason = NO_REASON,
        selected: bool = True,
        dosages: tuple[Dosage, ...] = (),
        ingredients: tuple[Ingredient, ...] = (),
        words: str = "",
    ) -> Given:
        """A draft medication order; selected unless said otherwise."""
        number = next(self.numbers)
        self.draft_medications.append(
            Medication(
                classes=frozenset(classes),
                designation=KnownDesignation(
                    name or " ".join(classes).replace("_", " "), words or name.lower()
                ),
                taking=Taking.DRAFT,
                source=Source(f"MedicationRequest/draft-{number}", "context.draftOrders"),
                reason=reason,
                dosages=dosages,
                ingredients=ingredients,
                selected=selected,
            )
        )
        return self

    def testing(
        self,
        *covers: str,
        draft: bool = True,
        selected: bool = False,
        days_ago: int = 1,
        reason: Reason = NO_REASON,
        name: str = "",
    ) -> Given:
        """An ordered test: a draft, or an active order of some days ago."""
        number = next(self.numbers)
        order = Order(
            covers=frozenset(covers),
            name=name or " ".join(covers),
            source=Source(f"ServiceRequest/{number}", "context.draftOrders" if draft else ""),
            draft=draft,
            when=NOW - timedelta(days=days_ago),
            reason=reason,
            selected=selected,
        )
        (self.draft_orders if draft else self.orders).append(order)
        return self

    def allergic(self, *concepts: str) -> Given:
        """An allergy to one of the substances."""
        source = Source(f"AllergyIntolerance/{next(self.numbers)}", "prefetch.allergies")
        self.allergies.append(Allergy(frozenset(concepts), " ".join(concepts), source))
        return self

    def done(self, *concepts: str, days_ago: int = 1) -> Given:
        """A panel that was done and has no value of its own."""
        source = Source(f"Observation/panel-{next(self.numbers)}", "prefetch.results")
        day = (NOW - timedelta(days=days_ago)).date()
        self.performed.append(PerformedPanel(frozenset(concepts), day, source))
        return self

    def encounter_for(self, reason: Reason) -> Given:
        """The reason of this encounter."""
        self.encounter = reason
        return self

    def lacking(self, *kinds: Kind, state: State = State.ABSENT, reason: str = "not sent") -> Given:
        """Kinds of data that were not obtained."""
        for kind in kinds:
            self.availability[kind] = Availability(state, reason)
        return self

    def nameless(self, kind: Kind) -> Given:
        """An active entry of a list that does not say what it is."""
        source = Source(f"{kind.value}/{next(self.numbers)}", f"prefetch.{kind.value}")
        self.problems.append(Problem("nameless", kind.value, "it does not say what it is", source))
        return self

    def at(self, **site: object) -> Given:
        """Choices of the site: cramps_assumed, jurisdiction, max_info_cards, rules_off."""
        if site.pop("cramps_assumed", False):
            self.options["cramps"] = "assumed"
        if "jurisdiction" in site:
            self.options["jurisdiction"] = str(site.pop("jurisdiction"))
        self.site.update(site, options=self.options)
        return self

    def facts(self) -> Facts:
        """The facts, at NOW."""
        from hooks.egfr import newest_egfr
        from hooks.knowledge.files import limits

        record = Record(
            patient=self.patient,
            conditions=tuple(self.conditions),
            medications=tuple(self.medications),
            orders=tuple(self.orders),
            allergies=tuple(self.allergies),
            performed=tuple(self.performed),
            drafts=Drafts(tuple(self.draft_medications), tuple(self.draft_orders)),
            encounter=self.encounter,
            availability=self.availability,
            problems=tuple(self.problems),
        )
        keys = {*self.candidates, *self.undated}
        series = {
            key: Series(self.candidates.get(key, ()), self.undated.get(key, ())) for key in keys
        }
        site = replace(Site(limits=limits()), **self.site)  # type: ignore[arg-type]
        return Facts(record, series, NOW, site, {"egfr": newest_egfr})

    def ask(self, rule_id: str, service: Service | None = None) -> Answer:
        """One rule's answer, through the engine."""
        outcomes = {
            outcome.rule.id: outcome.answer
            for each_service in ([service] if service else _services_of(rule_id))
            for outcome in self.outcomes(each_service)
            if outcome.rule.id == rule_id
        }
        return outcomes[rule_id]

    def outcomes(self, service: Service) -> list[Outcome]:
        """Every rule's answer for one service."""
        from cds_service.engine.declared import undeclared

        answers = _engine().ask(service, self.facts())
        undeclared_lines = [
            line
            for outcome in answers
            for line in undeclared(outcome.rule, outcome.answer, NOW.date())
        ]
        assert not undeclared_lines, undeclared_lines
        return answers


@cache
def _engine() -> Engine:
    """The engine as a service makes it; each rule sees only what it declares."""
    from cds_service.engine.declared import scope
    from cds_service.engine.run import Engine
    from hooks import TOPIC
    from hooks.cramps import documented

    return Engine(
        rules_by_service(),
        documented,
        scope=scope(option.name for option in TOPIC.options),
        complaint_is="leg cramps are",
    )


def _services_of(rule_id: str) -> list[Service]:
    return [
        Service(service)
        for service, rules in rules_by_service().items()
        if any(rule.id == rule_id for rule in rules)
    ]


def rules_by_service() -> dict[str, tuple[Rule, ...]]:
    """The rules of leg cramps by the id of the service."""
    from hooks import TOPIC

    return {service.id: service.rules for service in TOPIC.services}


def hook_of(service: str) -> Hook:
    """The hook of one of the services of leg cramps."""
    from hooks import TOPIC

    return next(each.hook for each in TOPIC.services if each.id == service)


def given(age: int | None = 50, sex: str = "female", deceased: bool = False) -> Given:
    """A patient about whom everything was obtained, with nothing on file."""
    return Given(age, sex, deceased)


def in_words(answer: Answer) -> str:
    """One line for what a rule answered, as a failed test prints it."""
    match answer:
        case Finding():
            return f"fired ({answer.indicator.value}): {answer.summary}"
        case NotFired():
            return f"did not fire: {answer.because}"
        case CannotTell():
            return f"cannot tell: {'; '.join(answer.because)}"


def fired(answer: Answer) -> Finding:
    """The finding, or a failure that shows what was answered instead."""
    assert isinstance(answer, Finding), f"should have fired, but {in_words(answer)}"
    return answer


def silent(answer: Answer) -> NotFired:
    """The reason for not firing, or a failure that shows what was answered instead."""
    assert isinstance(answer, NotFired), f"should not have fired, but {in_words(answer)}"
    return answer


def unknown(answer: Answer) -> CannotTell:
    """Why the rule cannot tell, or a failure that shows the outcome instead."""
    assert isinstance(answer, CannotTell), (
        f"should have said that it cannot tell, but {in_words(answer)}"
    )
    return answer


def offers(finding: Finding) -> set[str]:
    """The keys and references a finding suggests."""
    return {getattr(offer, "key", None) or offer.reference for offer in finding.suggestions}  # type: ignore[union-attr]


def orders_offered(finding: Finding) -> set[str]:
    """The keys of what a finding suggests to order."""
    return {offer for offer in offers(finding) if "/" not in offer}


def removed(finding: Finding) -> set[str]:
    """The references of the drafts that a finding offers to remove."""
    return {offer for offer in offers(finding) if "/" in offer}


def evidence_names(finding: Finding) -> set[str]:
    """What the evidence of a finding names: conditions, drugs and orders by name, or analytes."""
    return {getattr(item.fact, "name", "") or item.fact.analyte.key for item in finding.evidence}  # type: ignore[union-attr]
