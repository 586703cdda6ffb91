"""The only evaluation: it takes the resources of some patients and gives calls and outcomes."""

from __future__ import annotations

import gc
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any

from cds_service.core.kinds import ORDERED
from cds_service.fhir.intake.bundles import MOST_ENTRIES
from cds_service.fhir.values.elements import items, part, status_words, text
from cds_service.population.dated import DatedResource, items_of, moments_of, order_date, when_of
from cds_service.population.live import Columns, LiveSite, live_site
from cds_service.population.moments import History
from cds_service.population.person import Person
from cds_service.population.reading import last_of
from cds_service.population.tables import RESOURCES, evaluated_schema, need

if TYPE_CHECKING:
    from cds_service.settings import Settings

_DID_NOT_TAKE_PLACE = frozenset({"cancelled", "entered-in-error", "planned", "entered in error"})
_ROWS = 512
_COLLECT_AT = (50_000, 20, 100)  # patients leave few cycles, and looking for them costs 5 %
NO_PATIENT = "patients without a Patient resource"
TOO_LARGE = "TooLarge: more resources than the service accepts"


@dataclass(frozen=True)
class Plan:
    """What is evaluated, when and for which sites; the same on every machine.

    ``at`` is "encounters", "orders" or "date", where ``moment`` is the time of the calls.
    ``start`` (inclusive) and ``end`` (exclusive) bound the calls. ``key`` keys the digests;
    ``identified`` keeps ids instead. ``most`` is the largest number of resources of a patient.
    ``subgroups`` are names of groups, and the URLs of the extensions of Patient that have the
    patient's group.
    """

    settings: Settings
    sites: tuple[str, ...]
    at: str
    moment: datetime | None
    hook: str
    start: datetime | None = None
    end: datetime | None = None
    key: bytes = field(default=b"", repr=False)
    identified: bool = False
    most: int = MOST_ENTRIES
    subgroups: tuple[tuple[str, str], ...] = ()

    def inside(self, moment: datetime) -> bool:
        """Whether a moment is within ``start`` and ``end``."""
        return (self.start is None or moment >= self.start) and (
            self.end is None or moment < self.end
        )

    def digest(self, kind: str, name: str) -> str | None:
        """The digest (or id) of a patient, encounter, clinician or order; None for no name."""
        if not name or self.identified:
            return name or None
        return hmac.digest(self.key, f"{kind}/{name}".encode(), hashlib.sha256).hex()[:32]


def evaluate_partition(batches: Iterable[Any], plan: Plan) -> Iterator[Any]:
    """The calls of some patients, as Arrow batches of `evaluated_schema`.

    ``batches`` have the columns `RESOURCES`, sorted by patient, type, id, change and position;
    they have all rows of each patient. No data of a patient raises an exception.
    """
    arrow = need("pyarrow")
    schema = evaluated_schema()
    sites = _live_sites(plan)
    rows: list[Columns] = []
    before = gc.get_threshold()
    gc.set_threshold(*_COLLECT_AT)
    try:
        for patient, group in groupby(_rows(batches), itemgetter(0)):
            for row in _patient(patient, group, plan, sites):
                rows.append(row)
                if len(rows) >= _ROWS:
                    yield arrow.RecordBatch.from_pylist(rows, schema)
                    rows = []
        if rows:
            yield arrow.RecordBatch.from_pylist(rows, schema)
    finally:
        gc.set_threshold(*before)


@lru_cache(maxsize=1)
def _live_sites_of(settings: Settings, sites: tuple[str, ...]) -> tuple[LiveSite, ...]:
    return tuple(live_site(settings, site) for site in sites)


def _live_sites(plan: Plan) -> tuple[LiveSite, ...]:
    try:
        return _live_sites_of(plan.settings, plan.sites)
    except TypeError:  # settings that are not hashable
        return tuple(live_site(plan.settings, site) for site in plan.sites)


def _rows(batches: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(
            *(batch.column(batch.schema.get_field_index(name)).to_pylist() for name in RESOURCES),
            strict=True,
        )


def _patient(
    patient: str, group: Iterable[Any], plan: Plan, sites: tuple[LiveSite, ...]
) -> Iterator[Columns]:
    """The rows of one patient: one for each call, and one with the caveats."""
    rows, total = [], 0
    for row in group:
        total += 1
        if total <= plan.most:
            rows.append(row)
    caveats: Counter[str] = Counter()
    resources = items_of(rows)
    if total > len(rows):
        caveats["TooLarge: patients with more resources than the service accepts"] += 1
    elif len(resources) < len(rows):
        caveats["duplicates: the newest lastUpdated counts"] += len(rows) - len(resources)
    patient_item = next((item for item in resources if item.type == "Patient"), None)
    history = History(patient_item, [item for item in resources if item.type != "Patient"])
    if patient_item is None:
        caveats[NO_PATIENT] += 1
    medications = [item.medication for item in history.items if item.medication]
    if medications:
        known_ids = {item.id for item in history.items if item.type == "Medication"}
        if missing := sum(name not in known_ids for name in medications):
            caveats["a reference to a Medication that is not in the export"] += missing
    caveats += history.caveats()
    person = Person(patient, patient_item, plan.subgroups)
    calls = list(_moments(history, plan, caveats))
    for moment, encounter, draft in calls:
        if total > len(rows):
            known_items: list[DatedResource] | None = None
        else:
            alive = encounter is not None or draft is not None
            excluded = f"{draft.type}/{draft.id}" if draft is not None else ""
            known_items = list(history.at(moment, alive, excluded))
        yield from _calls(person, moment, encounter, draft, known_items, plan, sites)
    yield {
        "patient": plan.digest("Patient", patient),
        "sex": person.sex,
        "caveats": [{"kind": kind, "count": count} for kind, count in sorted(caveats.items())],
        "events": [_event(*event, plan) for event in (*calls, *_others(history, plan))],
    }


def _moments(
    history: History, plan: Plan, caveats: Counter[str]
) -> Iterator[tuple[datetime, DatedResource | None, DatedResource | None]]:
    """The moments of the calls, each with its encounter or order."""
    if plan.moment is not None:
        yield plan.moment, None, None
        return
    found: list[tuple[datetime, DatedResource | None, DatedResource | None]] = []
    encounters = {item.id: item for item in history.items if item.type == "Encounter"}
    for item in history.items:
        if plan.at == "encounters" and item.type == "Encounter":
            moment = moments_of(part(item.dated.period, "start"))
            status = status_words(item.dated.status)
            if not _DID_NOT_TAKE_PLACE.isdisjoint(status):
                caveats["an encounter that was cancelled or only planned: not evaluated"] += 1
            elif moment is None:
                caveats["an encounter without a start: not evaluated"] += 1
            elif plan.inside(moment):
                found.append((moment, item, None))
        elif plan.at == "orders" and item.type in ORDERED:
            moment = moments_of(order_date(item.dated))
            if moment is None:
                caveats["an order without the time when it was ordered: not evaluated"] += 1
            elif "entered-in-error" in status_words(item.dated.status):
                caveats["an order entered in error: not evaluated"] += 1
            elif plan.inside(moment):
                found.append((moment, encounters.get(_encounter_of(item)), item))
    found.sort(key=lambda row: (row[0], *(item.id if item else "" for item in row[1:])))
    yield from found


def _others(history: History, plan: Plan) -> Iterator[tuple[datetime, DatedResource, None]]:
    """With --at orders, the encounters in the window, including those without an order."""
    for item in history.items if plan.at == "orders" else ():
        if item.type == "Encounter" and _DID_NOT_TAKE_PLACE.isdisjoint(
            status_words(item.dated.status)
        ):
            moment = moments_of(part(item.dated.period, "start"))
            if moment is not None and plan.inside(moment):
                yield moment, item, None


def _event(
    moment: datetime, encounter: DatedResource | None, draft: DatedResource | None, plan: Plan
) -> Columns:
    """A row that rates are divided by: an encounter or order in the window, evaluated or not."""
    user = _clinician(draft if plan.at == "orders" else encounter)
    return {
        "encounter": plan.digest("Encounter", encounter.id if encounter else ""),
        "order": plan.digest("order", f"{draft.type}/{draft.id}" if draft else ""),
        "clinician": plan.digest("clinician", user or ""),
        "day": moment.astimezone().date(),
        "inpatient_days": _inpatient_days(encounter),
    }


def _encounter_of(order: DatedResource) -> str:
    import msgspec

    return last_of(msgspec.json.decode(order.raw).get("encounter"))


def _calls(
    about: Person,
    moment: datetime,
    encounter: DatedResource | None,
    draft: DatedResource | None,
    known_items: list[DatedResource] | None,
    plan: Plan,
    sites: tuple[LiveSite, ...],
) -> Iterator[Columns]:
    """The calls at one moment: one for each site and service."""
    user = _clinician(draft or encounter)
    drafted = draft.as_draft() if draft is not None else None
    for site in sites:
        for service in site.services(plan.hook):
            began = perf_counter()
            if known_items is None:
                answered, why = None, TOO_LARGE
            else:
                answered, why = site.ask(
                    service,
                    about.id,
                    moment,
                    known_items,
                    user=user,
                    encounter=encounter,
                    draft=drafted,
                )
            took = (perf_counter() - began) * 1000
            if drafted and answered is not None and not site.judged(service, answered):
                continue
            yield {
                "site": site.answering.site.name,
                "hook": plan.hook,
                "time": moment.astimezone(UTC),
                "patient": plan.digest("Patient", about.id),
                "encounter": plan.digest("Encounter", encounter.id if encounter else ""),
                "clinician": plan.digest("clinician", user or ""),
                "order": plan.digest("order", f"{draft.type}/{draft.id}" if draft else ""),
                "topic": site.topics[service.id],
                **_counted(answered),
                "milliseconds": took,
                "failed": why or None,
                "age_band": about.band(moment),
                "sex": about.sex,
                "subgroups": [{"group": name, "value": value} for name, value in about.groups],
                "inpatient_days": _inpatient_days(encounter),
                "day": moment.astimezone().date(),
                "answers": site.rows(service, answered, why),
            }


def _counted(answered: Any) -> Columns:
    """The numbers of cards by indicator and of problems by kind."""
    if answered is None:
        return {"info": 0, "warning": 0, "critical": 0, "problems": []}
    cards = Counter(card.body["indicator"] for card in answered.cards)
    problems = Counter(problem.kind for problem in answered.problems)
    return {
        **{name: cards[name] for name in ("info", "warning", "critical")},
        "problems": [{"kind": kind, "count": n} for kind, n in sorted(problems.items())],
    }


def _clinician(source: DatedResource | None) -> str | None:
    """The clinician of an encounter or order, as a reference; None where none is named."""
    if source is None:
        return None
    import msgspec

    data = msgspec.json.decode(source.raw)
    stated = [part(data, "requester"), part(data, "recorder")]
    stated += [part(entry, "individual") for entry in items(part(data, "participant"))]
    for reference in stated:
        if name := last_of(reference):
            return f"Practitioner/{name}"
    return None


def _inpatient_days(encounter: DatedResource | None) -> float | None:
    """Days of an inpatient stay, at least one once it has ended; None for other encounters."""
    if encounter is None:
        return None
    import msgspec

    data = msgspec.json.decode(encounter.raw)
    if text(part(data, "class", "code")) not in ("IMP", "ACUTE", "NONAC"):
        return None
    start = when_of(part(data, "period", "start"))
    end = when_of(part(data, "period", "end"))
    if start is None or end is None or end < start:
        return 1.0
    return max(1.0, round((end - start).total_seconds() / 86400, 2))
