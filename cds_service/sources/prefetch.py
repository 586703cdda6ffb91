"""Prefetch keys: the data that a service asks its client for, derived from its rules' needs.

The templates keep to what clients of CDS Hooks 2.0.1 can fill: literal tokens of the context, a
read or a search of one type, no parameter twice, no modifiers, no chains. The search for results
is limited to a window (``today()`` of 3.0) only where a setting asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.core.facts import Kind
from cds_service.core.kinds import KINDS
from cds_service.core.times import Window
from cds_service.engine.rule import Need, Rule
from cds_service.terminology.codes import Coding

PAGE = 500
"""Page size of a search: larger than servers' defaults (10 to 100)."""

NOT_ASKED = "the call names no encounter"
"""Why a key is "none" without a search: the call gives nothing to search for."""

_PATIENT = "{{context.patientId}}"
_ENCOUNTER = "{{context.encounterId}}"
Codes = Callable[[str], Iterable[Coding]]


@dataclass(frozen=True, slots=True)
class PrefetchKey:
    """One prefetch key: its template, and what it should contain.

    ``codes`` are those in a search for results; empty for the other kinds. ``days`` is how far
    back the rules look at most; None where a rule has no window.
    """

    name: str
    kind: Kind
    template: str
    resource_type: str
    codes: tuple[Coding, ...] = ()
    days: int | None = None

    @property
    def windowed(self) -> str:
        """The template for clients that support ``today()`` of CDS Hooks 3.0."""
        if self.days is None:
            return self.template
        window = f"&date=ge{{{{today() - {self.days} days}}}}"
        return self.template.replace("&_sort=", f"{window}&_sort=")

    def query(self, patient_id: str, encounter_id: str | None) -> str | None:
        """The template with its tokens filled in; None where the request does not have one."""
        if _ENCOUNTER in self.template:
            if encounter_id is None:
                return None
            return self.template.replace(_ENCOUNTER, encounter_id)
        return self.template.replace(_PATIENT, patient_id)


def keys_of(rules: Sequence[Rule], codes: Codes) -> tuple[PrefetchKey, ...]:
    """The keys that a service with these rules asks for, in a fixed order.

    ``codes`` gives the codes by which an analyte's results are searched for.
    """
    needs = [need for rule in rules for need in rule.needs]
    # It matters to every rule whether the patient is a child or has died.
    kinds = {Kind.PATIENT, *(need.kind for need in needs)}
    kinds |= {companion for kind in kinds if (companion := KINDS[kind].fetched_with)}
    analytes = {need.analyte for need in needs if need.analyte} | {
        panel for need in needs if need.kind is Kind.RESULTS for panel in need.concepts
    }
    by_code = {
        (coding.system, coding.code): coding for analyte in analytes for coding in codes(analyte)
    }
    codings = tuple(by_code[key] for key in sorted(by_code))
    windows = [need.within for need in needs if need.kind is Kind.RESULTS]
    days = (
        None
        if None in windows
        else max((_days(window) for window in windows if window), default=None)
    )
    return tuple(_key(kind, codings, days) for kind in Kind if kind in kinds)


def _days(window: Window) -> int:
    """The greatest length of a window in days: a month has at most 31, a year 366."""
    years, months = divmod(window.months, 12)
    return window.days + 366 * years + 31 * months


def _key(kind: Kind, codes: tuple[Coding, ...], days: int | None) -> PrefetchKey:
    row = KINDS[kind]
    name, resource_type = row.key, row.searched
    if kind is Kind.PATIENT:
        return PrefetchKey(name, kind, f"Patient/{_PATIENT}", resource_type)
    if kind is Kind.ENCOUNTER:
        return PrefetchKey(name, kind, f"Encounter/{_ENCOUNTER}", resource_type)
    query = f"{resource_type}?patient={_PATIENT}"
    if kind is Kind.RESULTS:
        tokens = ",".join(f"{coding.system}|{coding.code}" for coding in codes)
        return PrefetchKey(
            name,
            kind,
            f"{query}&code={tokens}&_sort=-date&_count={PAGE}",
            resource_type,
            codes,
            days,
        )
    if row.active_only:
        query += "&status=active"
    return PrefetchKey(name, kind, f"{query}&_count={PAGE}", resource_type)


def data_requirements(
    service: str,
    hook: str,
    rules: Sequence[Rule],
    keys: Sequence[PrefetchKey],
    codes: Codes,
    *,
    windows: bool = False,
) -> dict[str, Any]:
    """What each rule reads and what each key must hold, as JSON for a site's integrators.

    With ``windows`` the templates are limited by ``today()``.
    """
    names = {key.kind: key.name for key in keys}
    return {
        "service": service,
        "hook": hook,
        "prefetch": [_described_key(key, windows) for key in keys],
        "rules": [
            {
                "id": rule.id,
                "version": rule.version,
                "title": rule.title,
                "needs": [_described_need(need, names[need.kind], codes) for need in rule.needs],
            }
            for rule in rules
        ],
    }


def _described_key(key: PrefetchKey, windows: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "key": key.name,
        "kind": key.kind.value,
        "template": key.windowed if windows else key.template,
        "resourceType": key.resource_type,
    }
    if key.codes:
        described["codes"] = [_described_code(coding) for coding in key.codes]
    return described


def _described_need(need: Need, key: str, codes: Codes) -> dict[str, Any]:
    described: dict[str, Any] = {"kind": need.kind.value, "key": key, "required": need.required}
    if need.analyte:
        described["analyte"] = need.analyte
        if found := [_described_code(coding) for coding in codes(need.analyte)]:
            described["codes"] = found
    if need.within is not None:
        described["within"] = str(need.within)
    if need.concepts:
        described["concepts"] = list(need.concepts)
    return described


def _described_code(coding: Coding) -> dict[str, str]:
    described = {"system": coding.system, "code": coding.code}
    if coding.display:
        described["display"] = coding.display
    return described
