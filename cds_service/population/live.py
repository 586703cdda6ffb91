"""The live service, called with data of an export: the same reading, rules and cards.

No other module of this package knows how a call is answered.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from cds_service.answer.answering import AnsweredCall, Answering, answer_word
from cds_service.core.call import Call
from cds_service.core.facts import Kind, Result
from cds_service.core.kinds import ACTIVE_ONLY, KIND_OF
from cds_service.engine.rule import CannotTell, Finding
from cds_service.engine.run import judges
from cds_service.errors import BadRequest, ServiceError
from cds_service.fhir.intake.delivery import Delivery
from cds_service.fhir.values.elements import status_words
from cds_service.population.dated import DatedResource
from cds_service.sources.obtaining import not_asked, read_key
from cds_service.sources.one_patient import NOT_ACTIVE

if TYPE_CHECKING:
    from cds_service.engine.topic import Service
    from cds_service.settings import Settings

Columns = dict[str, Any]
"""A row of the outcome, or one in it, by the names of its columns."""


class LiveSite:
    """The live service of one site; ``topics`` are the topics of its services, by service id."""

    def __init__(self, answering: Answering, topics: dict[str, str]) -> None:
        self.answering = answering
        self.topics = topics

    def services(self, hook: str) -> list[Service]:
        """The site's services of one hook."""
        return [
            service for service in self.answering.services.values() if service.hook.name == hook
        ]

    def ask(
        self,
        service: Service,
        patient: str,
        moment: datetime,
        known_items: Sequence[DatedResource],
        *,
        user: str | None = None,
        encounter: DatedResource | None = None,
        draft: DatedResource | None = None,
    ) -> tuple[AnsweredCall | None, str]:
        """The result of a call with what was known, or None and the reason for an error.

        ``moment`` has a time zone. ``draft`` is the only order that is judged.
        """
        deliveries: dict[Kind, Delivery] = {}
        visit = encounter.id if encounter is not None else None
        drugs = {item.id: item for item in known_items if item.type == "Medication"}
        by_kind = _found(known_items, visit, drugs)
        for key in self.answering.keys[service.id]:
            if key.kind is Kind.ENCOUNTER and visit is None:
                deliveries[key.kind] = not_asked(key.kind)
                continue
            resources = by_kind[key.kind]
            if key.kind is Kind.PATIENT:
                raw = resources[0].raw if resources else b"null"
            else:
                raw = _searchset(resources)
            deliveries[key.kind] = read_key(key, msgspec.Raw(raw))
        call = Call(
            service=service.id,
            patient_id=patient,
            as_of=moment,
            user=user,
            encounter_id=visit,
            selections=(f"{draft.type}/{draft.id}",) if draft is not None else (),
            draft_orders=_searchset(_with([draft], drugs)) if draft is not None else None,
        )
        try:
            return self.answering.answer(call, deliveries), ""
        except ServiceError as error:
            return None, f"{type(error).__name__}: {error.what}"

    def judged(self, service: Service, answered: AnsweredCall) -> bool:
        """Whether any rule judges a draft of the selected kind."""
        return any(
            rule.judges and judges(rule, answered.facts)
            for rule in self.answering.rules(service.id)
        )

    def rows(self, service: Service, answered: AnsweredCall | None, why: str) -> list[Columns]:
        """Each rule's outcome; in a call that failed, every rule cannot tell."""
        if answered is None:
            return [
                _row(rule.id, rule.version, "cannot tell", None, self._off(rule.id), [why], [])
                for rule in self.answering.rules(service.id)
            ]
        shown = {card.rule.id for card in answered.cards}
        silent = {rule.id for rule in answered.silent}
        rows = []
        for outcome, traced in zip(answered.outcomes, answered.trace, strict=True):
            rule, answer = outcome.rule, outcome.answer
            indicator = fate = None
            if isinstance(answer, Finding):
                indicator = str(answer.indicator)
                if rule.id in shown:
                    fate = "shown"
                else:
                    quiet = rule.id in silent or self.answering.site.silent(
                        rule.id, answered.facts.today
                    )
                    fate = "silent" if quiet else "capped"
            else:
                if isinstance(answer, CannotTell) and rule.id in shown:
                    fate = "shown"
                fate = fate or self._off(rule.id)
            because = list(traced.because)
            if traced.left_out:
                because.append(traced.left_out)
            facts = [_fact(evidence.fact) for evidence in answer.evidence]
            rows.append(
                _row(rule.id, rule.version, answer_word(answer), indicator, fate, because, facts)
            )
        return rows

    def _off(self, rule: str) -> str | None:
        return "off" if rule in self.answering.site.rules_off else None


def live_site(settings: Settings, site: str, option: str = "--site") -> LiveSite:
    """The live service of a site. Raises BadRequest, naming the option, for a site that is not in
    the sites file."""
    from cds_service.app import assemble
    from cds_service.catalogue.topics import chosen_topics
    from cds_service.feedback.card_ids import KEY_BYTES, CardIds
    from cds_service.ops.metrics import Metrics

    topics = chosen_topics(settings)
    # No card is shown to anybody, so that the ids need not be recognised later.
    ids = CardIds(secrets.token_bytes(KEY_BYTES))
    _, sites = assemble(settings, topics, ids, Metrics())
    if site not in sites:
        raise BadRequest(f"there is no site {site}.", f"The sites are {', '.join(sites)}.", option)
    topic_keys = {service.id: topic.key for topic in topics for service in topic.services}
    return LiveSite(sites[site], topic_keys)


# Reports for the results that they contain or name, Specimens for the results that refer to them.
_KIND_BY_TYPE = {**KIND_OF, "DiagnosticReport": Kind.RESULTS, "Specimen": Kind.RESULTS}


def _found(
    items: Iterable[DatedResource], visit: str | None, drugs: Mapping[str, DatedResource]
) -> dict[Kind, list[DatedResource]]:
    """What a search for each kind would have found; of the encounters, only that of the visit."""
    by_kind: dict[Kind, list[DatedResource]] = {kind: [] for kind in Kind}
    for item in items:
        if not item.needed:
            continue
        if item.type == "Encounter" and item.id != visit:
            continue
        kind = _KIND_BY_TYPE.get(item.type)
        if kind is not None and (
            kind not in ACTIVE_ONLY or NOT_ACTIVE.isdisjoint(status_words(item.dated.status))
        ):
            by_kind[kind].append(item)
    for kind in (Kind.MEDICATIONS, Kind.STATEMENTS):
        by_kind[kind] = _with(by_kind[kind], drugs)
    return by_kind


def _with(
    resources: Sequence[DatedResource], drugs: Mapping[str, DatedResource]
) -> list[DatedResource]:
    """What was found, and the Medications that it refers to, as a search includes them."""
    drug_ids = dict.fromkeys(item.medication for item in resources)
    return [*resources, *(drugs[name] for name in drug_ids if name in drugs)]


def _searchset(resources: Iterable[DatedResource]) -> bytes:
    entries = []
    for item in resources:
        url = b'"fullUrl":%b,' % msgspec.json.encode(item.url) if item.url else b""
        entries.append(b'{%b"resource":%b}' % (url, item.raw))
    joined = b",".join(entries)
    return b'{"resourceType":"Bundle","type":"searchset","entry":[' + joined + b"]}"


def _fact(fact: Any) -> Columns:
    if isinstance(fact, Result):
        return {
            "code": fact.analyte.key,
            "value": _reported_value(fact),
            "unit": fact.unit.name,
            "day": fact.day.isoformat(),
        }
    code = ", ".join(
        sorted(
            getattr(fact, "concepts", None)
            or getattr(fact, "classes", None)
            or getattr(fact, "covers", None)
            or ()
        )
    )
    day = getattr(fact, "day", None) or getattr(fact, "when", None)
    return {
        "code": f"{type(fact).__name__}: {code}",
        "value": None,
        "unit": None,
        "day": day.isoformat()[:10] if day else None,
    }


def _reported_value(result: Result) -> str:
    """A value as it was reported, without its unit."""
    value = result.value
    if value.exact:
        return f"{value.low:f}"
    if value.low is None:
        return f"{'<' if value.high_open else '<='}{value.high:f}"
    return f"{'>' if value.low_open else '>='}{value.low:f}"


def _row(
    rule: str,
    version: str,
    answer: str,
    indicator: str | None,
    fate: str | None,
    because: list[str],
    facts: list[Columns],
) -> Columns:
    return {
        "rule": rule,
        "version": version,
        "answer": answer,
        "indicator": indicator,
        "fate": fate,
        "because": because,
        "facts": facts,
    }
