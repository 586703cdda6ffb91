"""From data to outcomes: what the rules say of one patient at one moment, without any card.

    deliveries → reading → facts → engine → outcomes

HTTP, the command line, the demo page, the tests and runs over a population all use this one.
Time is an argument. Nothing here is kept from one call to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cds_service.core.call import Call
from cds_service.core.confidential import Confidential
from cds_service.core.facts import Kind
from cds_service.core.patient import Facts, Site
from cds_service.engine.rule import Outcome, Rule
from cds_service.engine.run import Engine
from cds_service.engine.topic import Service, Topic
from cds_service.errors import PreconditionFailed
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.read.reading import Reader, Reading
from cds_service.sources.prefetch import NOT_ASKED, PrefetchKey


class EvaluatedCall(Confidential, frozen=True):
    """The outcome of every rule for one call, and the data that the rules were asked about."""

    reading: Reading
    facts: Facts
    outcomes: tuple[Outcome, ...]


class Evaluation:
    """Evaluates the calls of one site from their deliveries; made once and thread-safe.

    ``engines`` and ``readers`` are those of each topic; ``keys`` are the prefetch keys of each
    service, by service id. A process makes its own: nothing of it is sent to another.
    """

    def __init__(
        self,
        topics: Sequence[Topic],
        engines: Mapping[Topic, Engine],
        readers: Mapping[Topic, Reader],
        *,
        site: Site,
        keys: Mapping[str, tuple[PrefetchKey, ...]],
    ) -> None:
        self._engines, self._readers = engines, readers
        self.topics = {service.id: topic for topic in topics for service in topic.services}
        self.services: Mapping[str, Service] = {
            service.id: service for topic in topics for service in topic.services
        }
        self._judged = {
            service: frozenset[str]().union(*(rule.judges for rule in self.rules(service)))
            for service in self.services
        }
        self.site = site
        self.keys = keys

    def rules(self, service: str) -> tuple[Rule, ...]:
        """The rules of a service, given its id, in the order of evaluation."""
        return self._engines[self.topics[service]].rules(service)

    def evaluate(self, call: Call, deliveries: Mapping[Kind, Delivery]) -> EvaluatedCall:
        """What each rule says of one patient at one moment.

        Raises PreconditionFailed when no data was obtained that any rule could use, and
        TooLarge when there are more entries than the limit.
        """
        topic = self.topics[call.service]
        reading = self._readers[topic].read(deliveries, call)
        computed = topic.knowledge.computed
        facts = Facts(reading.record, reading.series, call.as_of, self.site, computed)
        self._require_data(call, deliveries, facts)
        return EvaluatedCall(reading, facts, tuple(self._engines[topic].ask(call.service, facts)))

    def _require_data(self, call: Call, deliveries: Mapping[Kind, Delivery], facts: Facts) -> None:
        """Raise PreconditionFailed when no rule at all could answer."""
        # A kind that the call gave no reason to ask for does not count as obtained.
        requested = [kind for kind, delivery in deliveries.items() if delivery.reason != NOT_ASKED]
        if any(facts.obtained(kind) for kind in requested):
            return
        if self.services[call.service].hook.drafts and (
            not _names_something(facts) or self._judges_a_draft(call.service, facts)
        ):
            return  # nothing was picked yet, or the danger of what was picked needs no data
        names = {key.kind: key.name for key in self.keys[call.service]}
        reasons: dict[str, list[str]] = {}
        for kind in requested:
            reasons.setdefault(_reason(facts, kind), []).append(names.get(kind, kind.value))
        reasons_text = "; ".join(f"{', '.join(keys)}: {reason}" for reason, keys in reasons.items())
        raise PreconditionFailed(
            f"None of the data that this service needs could be obtained ({reasons_text}).",
            "Send at least one of these prefetch keys, or fhirServer and fhirAuthorization of a "
            "server that this service may call.",
            "prefetch",
        )

    def _judges_a_draft(self, service: str, facts: Facts) -> bool:
        drafts, judged = facts.drafts, self._judged[service]
        return any(
            not judged.isdisjoint(draft.classes) for draft in drafts.selected_medications
        ) or any(not judged.isdisjoint(draft.covers) for draft in drafts.selected_orders)


def _names_something(facts: Facts) -> bool:
    """Whether a selected draft says what is ordered; while the clinician types it does not."""
    drafts = facts.drafts
    return any(draft.named for draft in drafts.selected_medications) or any(
        draft.named for draft in drafts.selected_orders
    )


def _reason(facts: Facts, kind: Kind) -> str:
    availability = facts.availability(kind)
    return availability.reason or availability.state.value
