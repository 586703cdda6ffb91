"""The way from data to cards, the same for HTTP, the command line and the demo page.

    evaluation (deliveries → reading → facts → engine → outcomes) → arranging → cards

Time is an argument. Nothing here is kept from one call to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Literal

from msgspec import Struct

from cds_service.answer.cards import Card, Cards
from cds_service.answer.evaluation import Evaluation
from cds_service.core.call import Call
from cds_service.core.confidential import Confidential
from cds_service.core.facts import Kind, Problem
from cds_service.core.patient import Facts
from cds_service.engine.rule import Answer, CannotTell, Finding, NotFired, Outcome, Rule
from cds_service.engine.topic import Topic
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.reading import Reading

Validation = Literal["cited", "all", "none"]


class TraceEntry(Struct, frozen=True):
    """One rule's outcome in words; ``answer`` is one of those of `answer_word`.

    ``left_out`` says why the card of a rule that fired is not shown.
    """

    rule: str
    version: str
    answer: str
    because: tuple[str, ...] = ()
    left_out: str = ""


class AnsweredCall(Confidential, frozen=True, dict=True):
    """The result of one call, with the call itself.

    ``dropped`` says, by rule id, why a card is not shown; ``silent`` are the silent rules whose
    cards would have been shown. What only a trace needs is computed on demand.
    """

    printed = ("call", "dropped")

    call: Call
    cards: tuple[Card, ...]
    dropped: Mapping[str, str]
    silent: tuple[Rule, ...]
    problems: Sequence[Problem]
    deliveries: Mapping[Kind, Delivery]
    facts: Facts
    outcomes: tuple[Outcome, ...]
    _validate: Callable[[], dict[str, str]]

    @cached_property
    def trace(self) -> tuple[TraceEntry, ...]:
        """Every rule's outcome, in the order of evaluation."""
        return tuple(_trace_entry(outcome, self.dropped) for outcome in self.outcomes)

    @property
    def orders(self) -> tuple[str, ...]:
        """The references of the orders that were judged."""
        drafts = self.facts.drafts
        return (
            *(draft.source.reference for draft in drafts.selected_medications),
            *(draft.source.reference for draft in drafts.selected_orders),
        )

    @cached_property
    def silence(self) -> str:
        """What a response without cards means, so that it does not look like an all-clear."""
        unchecked = sum(isinstance(outcome.answer, CannotTell) for outcome in self.outcomes)
        if self.silent:
            more = f"; {_rules(unchecked)} could not be checked" if unchecked else ""
            return f"No cards: in silent mode, {_rules(len(self.silent))} would show one{more}."
        if unchecked:
            return f"No cards, but {_rules(unchecked)} could not be checked."
        if self.dropped:
            fired = len(self.dropped)
            return f"No cards, but {_rules(fired)} fired and {_be(fired, 'is')} not shown."
        asked = len(self.outcomes)
        return f"No cards. {_rules(asked)} {_be(asked, 'was')} checked."

    @cached_property
    def refused(self) -> Mapping[str, str]:
        """The resources that the full FHIR models reject, with the reason.

        They are used all the same: no card depends on this.
        """
        return self._validate()


class Answering:
    """Answers the calls of one site from their deliveries; made once and thread-safe.

    ``cards`` are those of each topic; ``validated`` says which resources are also validated with
    the full FHIR models.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        cards: Mapping[Topic, Cards],
        *,
        validated: Validation = "cited",
    ) -> None:
        self.evaluation = evaluation
        self._cards = {service: cards[topic] for service, topic in evaluation.topics.items()}
        self._validated = validated
        self.site = evaluation.site
        self.keys = evaluation.keys
        self.services = evaluation.services

    def rules(self, service: str) -> tuple[Rule, ...]:
        """The rules of a service, given its id, in the order of evaluation."""
        return self.evaluation.rules(service)

    def answer(self, call: Call, deliveries: Mapping[Kind, Delivery]) -> AnsweredCall:
        """The cards and the trace for one patient at one moment.

        Raises what `Evaluation.evaluate` raises.
        """
        evaluated = self.evaluation.evaluate(call, deliveries)
        facts, outcomes = evaluated.facts, evaluated.outcomes
        hook = self.services[call.service].hook
        written = self._cards[call.service].write(hook, outcomes, facts, call)
        return AnsweredCall(
            call=call,
            cards=written.cards,
            dropped=written.dropped,
            silent=written.silent,
            problems=facts.problems(),
            deliveries=deliveries,
            facts=facts,
            outcomes=outcomes,
            _validate=partial(self._refused, evaluated.reading, written.cards),
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


def _rules(count: int) -> str:
    return f"{count} rule{'s' * (count != 1)}"


def _be(count: int, singular: Literal["is", "was"]) -> str:
    return singular if count == 1 else {"is": "are", "was": "were"}[singular]


_WORDS: Mapping[type[Answer], str] = {
    Finding: "fired",
    NotFired: "did not fire",
    CannotTell: "cannot tell",
}


def answer_word(answer: Answer) -> str:
    """The answer in words: fired, did not fire or cannot tell."""
    return _WORDS[type(answer)]


def _trace_entry(outcome: Outcome, dropped: Mapping[str, str]) -> TraceEntry:
    rule, answer = outcome.rule, outcome.answer
    if isinstance(answer, Finding):
        because: tuple[str, ...] = (answer.summary,)
    else:
        because = answer.because if isinstance(answer, CannotTell) else (answer.because,)
    return TraceEntry(rule.id, rule.version, answer_word(answer), because, dropped.get(rule.id, ""))


def _sources(reading: Reading) -> Iterator[str]:
    """The reference of the resource behind each fact that was read."""
    record = reading.record
    lists = (record.conditions, record.medications, record.orders, record.allergies)
    yield from (fact.source.reference for facts in lists for fact in facts)
    yield record.patient.source.reference
    for series in reading.series.values():
        yield from (result.source.reference for result in series.finals())
