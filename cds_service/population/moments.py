"""What was known about a patient at an earlier moment.

What happened to a resource after that moment (an end, a discharge, a death) is removed. What cannot
be reconstructed is left as it is in the export, and counted as a caveat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from cds_service.fhir.values.elements import part
from cds_service.population.dated import DatedResource, changed, is_inactive, object_of, when_of

_DIED_WHEN = "Patient deceased at an unknown time: treated as alive at an encounter or order"


class History(Struct, frozen=True):
    """Everything in an export about one patient."""

    patient: DatedResource | None
    items: list[DatedResource]

    def at(self, moment: datetime, alive: bool, excluded: str = "") -> Iterator[DatedResource]:
        """The resources known at a moment, as they were then, except ``excluded`` (``Type/id``).

        ``alive``: an encounter or an order at that moment shows that the patient was alive.
        """
        if self.patient is not None:
            yield _as_patient(self.patient, moment, alive)
        for item in self.items:
            version = item.at(moment)
            if version is None:
                continue
            if excluded and f"{version.type}/{version.id}" == excluded:
                continue
            changed = version.ended is not None or version.type == "Encounter"
            yield as_it_was(version, moment) if changed else version

    def caveats(self) -> Counter[str]:
        """What could not be reconstructed, with the number of resources."""
        counts = Counter(caveat for item in self.items for caveat in item.caveats)
        if self.patient is not None and b'"deceased' in self.patient.raw:
            data = object_of(self.patient.raw)
            when = data.get("deceasedDateTime")
            if data.get("deceasedBoolean") is True or (when and when_of(when) is None):
                counts[_DIED_WHEN] += 1
        return counts


def as_it_was(item: DatedResource, moment: datetime) -> DatedResource:
    """A resource without what happened after a moment."""
    if item.type == "Encounter":
        return _as_encounter(item, moment)
    if item.ended is None or item.ended <= moment:
        return item
    data = object_of(item.raw)
    if item.type == "Condition":
        data = {key: value for key, value in data.items() if not key.startswith("abatement")}
        if is_inactive(item.dated):
            data["clinicalStatus"] = {"coding": [{"code": "active"}]}
    else:
        data["status"] = "active"
        for key in ("statusReason", "statusChanged", "statusHistory", "reasonNotTaken"):
            data.pop(key, None)
        data.pop("_status", None)
        period = data.get("effectivePeriod")
        if isinstance(period, dict):
            data["effectivePeriod"] = {key: value for key, value in period.items() if key != "end"}
    return changed(item, data)


def _as_encounter(item: DatedResource, moment: datetime) -> DatedResource:
    """An encounter as it was at its start: without end, diagnoses and discharge."""
    end = when_of(part(item.dated.period, "end"))
    if end is not None and end <= moment:
        return item
    data = object_of(item.raw)
    data["status"] = "in-progress"
    for key in ("diagnosis", "length", "statusHistory", "classHistory"):
        data.pop(key, None)
    if isinstance(data.get("period"), dict):
        data["period"] = {key: value for key, value in data["period"].items() if key != "end"}
    if isinstance(data.get("hospitalization"), dict):
        data["hospitalization"] = {
            key: value
            for key, value in data["hospitalization"].items()
            if not key.startswith("discharge") and key != "destination"
        }
    return changed(item, data)


def _as_patient(item: DatedResource, moment: datetime, alive: bool) -> DatedResource:
    if b'"deceased' not in item.raw:
        return item
    data = object_of(item.raw)
    died = when_of(data.get("deceasedDateTime"))
    later = died > moment if died is not None else alive
    if not later:
        return item
    return changed(item, {k: v for k, v in data.items() if not k.startswith("deceased")})
