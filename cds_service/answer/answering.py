"""The way from data to cards, the same for HTTP, the command line and the demo page.

    deliveries → reading → facts → engine → arranging → cards

Time is an argument. Nothing here is kept from one call to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from typing import Literal, Self

from cds_service.answer.cards import Card, Cards
from cds_service.answer.suggestions import Recipient
from cds_service.calls.envelope import Envelope
from cds_service.core.facts import Kind, Problem
from cds_service.core.identity import ANYBODY, Identity, Origin
from cds_service.core.immutable import immutable
from cds_service.core.patient import Facts, Site
from cds_service.engine.rule import Answer, CannotTell, Finding, NotFired, Outcome, Rule
from cds_service.engine.run import Engine
from cds_service.engine.topic import Service, Topic
from cds_service.errors import PreconditionFailed
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.reading import Context, Reader, Reading
from cds_service.fhir.values.elements import UNREADABLE, decoded
from cds_service.sources.prefetch import NOT_ASKED, Key

Validated = Literal["cited", "all", "none"]


@immutable
class Call:
    """One call: the patient, the service (its id) and the moment.

    ``origin`` is the caller, and ``fhir_server`` the base URL that the call names, whether it is
    contacted or not: the two distinguish the patients of different hospitals. ``as_of`` has a
    time zone. ``user`` is a reference (``Practitioner/7``). ``draft_orders`` is undecoded JSON.
    """

    service: str
    patient_id: str = field(repr=False)
    as_of: datetime
    user: str | None = field(default=None, repr=False)
    encounter_id: str | None = field(default=None, repr=False)
    selections: tuple[str, ...] | None = field(default=(), repr=False)
    draft_orders: bytes | None = field(default=None, repr=False)
    origin: Origin = ANYBODY
    fhir_server: str | None = None

    @classmethod
    def of(cls, envelope: Envelope, service: str, as_of: datetime, origin: Origin) -> Self:
        """The call that an envelope makes to a service."""
        return cls(
            service=service,
            patient_id=envelope.patient_id,
            as_of=as_of,
            user=envelope.user_id,
            encounter_id=envelope.encounter_id,
            selections=envelope.selections,
            draft_orders=envelope.draft_orders,
            origin=origin,
            fhir_server=envelope.fhir_server,
        )


@immutable
class Traced:
    """One rule's outcome in words; ``answer`` is one of those of `answer_word`.

    ``left_out`` says why the card of a rule that fired is not shown.
    """

    rule: str
    version: str
    answer: str
    because: tuple[str, ...] = ()
    left_out: str = ""


@immutable(slots=False)
class Answered:
    """The result of one call.

    ``dropped`` says, by rule id, why a card is not shown; ``silent`` are the silent rules whose
    cards would have been shown. What only a trace needs is computed on demand.
    """

    cards: tuple[Card, ...]
    dropped: Mapping[str, str]
    silent: tuple[Rule, ...]
    problems: Sequence[Problem]
    deliveries: Mapping[Kind, Delivery]
    facts: Facts = field(repr=False)
    outcomes: tuple[Outcome, ...] = field(repr=False)
    _validate: Callable[[], dict[str, str]] = field(repr=False)

    @cached_property
    def trace(self) -> tuple[Traced, ...]:
        """Every rule's outcome, in the order of evaluation."""
        return tuple(_traced(outcome, self.dropped) for outcome in self.outcomes)

    @property
    def orders(self) -> tuple[str, ...]:
        """The references of the orders that were judged."""
        drafts = self.facts.drafts
        return (
            *(one.source.reference for one in drafts.selected_medications),
            *(one.source.reference for one in drafts.selected_orders),
        )

    @cached_property
    def silence(self) -> str:
        """What a response without cards means, so that it does not look like an all-clear."""
        unchecked = sum(isinstance(one.answer, CannotTell) for one in self.outcomes)
        if self.silent:
            more = f"; {_rules(unchecked)} could not be checked" if unchecked else ""
            return f"No cards: in silent mode, {_rules(len(self.silent))} would show one{more}."
        if unchecked:
            return f"No cards, but {_rules(unchecked)} could not be checked."
        if self.dropped:
            return f"No cards, but {_rules(len(self.dropped))} fired and are not shown."
        return f"No cards. {_rules(len(self.outcomes)).capitalize()} were checked."

    @cached_property
    def refused(self) -> Mapping[str, str]:
        """The resources that the full FHIR models reject, with the reason.

        They are used all the same: no card depends on this.
        """
        return self._validate()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The parts that answer the calls of one topic, with the settings of one site."""

    topic: Topic
    engine: Engine
    reader: Reader
    cards: Cards


class Answering:
    """Answers the calls of one site from their deliveries; made once and thread-safe.

    ``keys`` are the prefetch keys of each service, by service id; ``validated`` says which
    resources are also validated with the full FHIR models.
    """

    def __init__(
        self,
        *,
        pipelines: Sequence[Pipeline],
        site: Site,
        keys: Mapping[str, tuple[Key, ...]],
        validated: Validated = "cited",
    ) -> None:
        self._pipelines = {
            one.id: pipeline for pipeline in pipelines for one in pipeline.topic.services
        }
        self._judged = {
            service: frozenset[str]().union(
                *(rule.judges for rule in pipeline.engine.rules(service))
            )
            for service, pipeline in self._pipelines.items()
        }
        self._validated = validated
        self.site = site
        self.keys = keys
        self.services: Mapping[str, Service] = {
            one.id: one for pipeline in pipelines for one in pipeline.topic.services
        }

    def rules(self, service: str) -> tuple[Rule, ...]:
        """The rules of a service, given its id, in the order of evaluation."""
        return self._pipelines[service].engine.rules(service)

    def answer(self, call: Call, deliveries: Mapping[Kind, Delivery]) -> Answered:
        """The cards and the trace for one patient at one moment.

        Raises PreconditionFailed when no data was obtained that any rule could use, and
        TooLarge when there are more entries than the limit.
        """
        context = Context(
            patient_id=call.patient_id,
            encounter_id=call.encounter_id,
            user_id=call.user,
            draft_orders=_drafts(call.draft_orders),
            selections=call.selections,
            fhir_server=call.fhir_server,
        )
        pipeline = self._pipelines[call.service]
        reading = pipeline.reader.read(deliveries, context, call.as_of)
        computed = pipeline.topic.knowledge.computed
        facts = Facts(reading.record, reading.series, call.as_of, self.site, computed)
        self._require_data(call, deliveries, facts)
        outcomes = pipeline.engine.ask(call.service, facts)
        recipient = Recipient(
            patient=f"Patient/{call.patient_id}",
            identity=Identity(call.origin, (call.fhir_server or "").rstrip("/"), call.patient_id),
            encounter=f"Encounter/{call.encounter_id}" if call.encounter_id else None,
            requester=call.user,
            as_of=call.as_of,
        )
        written = pipeline.cards.write(self.services[call.service].hook, outcomes, facts, recipient)
        return Answered(
            cards=written.cards,
            dropped=written.dropped,
            silent=written.silent,
            problems=facts.problems(),
            deliveries=deliveries,
            facts=facts,
            outcomes=tuple(outcomes),
            _validate=partial(self._refused, reading, written.cards),
        )

    def _refused(self, reading: Reading, cards: Sequence[Card]) -> dict[str, str]:
        """The reason why the full models reject a resource, by reference."""
        if self._validated == "none":
            return {}
        if self._validated == "cited":
            references = [reference for card in cards for reference in card.cited]
        else:
            references = list(_sources(reading))
        from cds_service.fhir.models import refusal

        refused = {}
        for reference in dict.fromkeys(references):
            raw = reading.resources(reference)
            if raw is not None and (reason := refusal(raw)):
                refused[reference] = reason
        return refused

    def _require_data(self, call: Call, deliveries: Mapping[Kind, Delivery], facts: Facts) -> None:
        """Raise PreconditionFailed when no rule at all could answer."""
        # A kind that the call gave no reason to ask for does not count as obtained.
        asked = [kind for kind, one in deliveries.items() if one.reason != NOT_ASKED]
        if any(facts.obtained(kind) for kind in asked):
            return
        if self.services[call.service].hook.drafts and (
            not _names_something(facts) or self._judges_a_draft(call.service, facts)
        ):
            return  # nothing was picked yet, or the danger of what was picked needs no data
        names = {key.kind: key.name for key in self.keys[call.service]}
        reasons: dict[str, list[str]] = {}
        for kind in asked:
            reasons.setdefault(_reason(facts, kind), []).append(names.get(kind, kind.value))
        listed = "; ".join(f"{', '.join(keys)}: {reason}" for reason, keys in reasons.items())
        raise PreconditionFailed(
            f"None of the data that this service needs could be obtained ({listed}).",
            "Send at least one of these prefetch keys, or fhirServer and fhirAuthorization of a "
            "server that this service may call.",
            "prefetch",
        )

    def _judges_a_draft(self, service: str, facts: Facts) -> bool:
        drafts, judged = facts.drafts, self._judged[service]
        return any(
            not judged.isdisjoint(draft.classes) for draft in drafts.selected_medications
        ) or any(not judged.isdisjoint(draft.covers) for draft in drafts.selected_orders)


def _rules(count: int) -> str:
    return f"{count} rule{'s' * (count != 1)}"


def _names_something(facts: Facts) -> bool:
    """Whether a selected draft says what is ordered; while the clinician types it does not."""
    drafts = facts.drafts
    return any(draft.named for draft in drafts.selected_medications) or any(
        draft.named for draft in drafts.selected_orders
    )


_WORDS: Mapping[type[Answer], str] = {
    Finding: "fired",
    NotFired: "did not fire",
    CannotTell: "cannot tell",
}


def answer_word(answer: Answer) -> str:
    """The answer in words: fired, did not fire or cannot tell."""
    return _WORDS[type(answer)]


def _traced(outcome: Outcome, dropped: Mapping[str, str]) -> Traced:
    rule, answer = outcome.rule, outcome.answer
    if isinstance(answer, Finding):
        because: tuple[str, ...] = (answer.summary,)
    else:
        because = answer.because if isinstance(answer, CannotTell) else (answer.because,)
    return Traced(rule.id, rule.version, answer_word(answer), because, dropped.get(rule.id, ""))


def _reason(facts: Facts, kind: Kind) -> str:
    availability = facts.availability(kind)
    return availability.reason or availability.state.value


def _drafts(raw: bytes | None) -> object:
    if raw is None:
        return None
    try:
        return decoded(raw)
    except UNREADABLE:
        # The reader reports a draft that cannot be read, whatever is wrong with it.
        return raw.decode(errors="replace")


def _sources(reading: Reading) -> Iterator[str]:
    """The reference of the resource behind each fact that was read."""
    record = reading.record
    lists = (record.conditions, record.medications, record.orders, record.allergies)
    yield from (fact.source.reference for facts in lists for fact in facts)
    yield record.patient.source.reference
    for series in reading.series.values():
        yield from (result.source.reference for result in series.finals())
