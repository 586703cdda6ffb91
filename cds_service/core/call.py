"""One call of a service: which service, about whom, by whom, and at which moment.

It is made once, where a call comes in: from a request (`calls.envelope`), from an export
(`population.live`) or by a test. Reading, evaluation, cards and the audit trail are all given this
one value. What must not travel so far stays beside it in the `Envelope`: the access token above
all, and the prefetch, which becomes deliveries.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property

from cds_service.core.confidential import Confidential
from cds_service.core.identity import ANYBODY, Identity, Origin


class Call(Confidential, frozen=True, dict=True):
    """One call; ``service`` is the id of the service.

    ``as_of`` has a time zone. ``user`` is a reference (``Practitioner/7``). ``selections`` are the
    references of the drafts that are judged; None means all. ``draft_orders`` is undecoded JSON of
    any structure, None for hooks without drafts. ``origin`` is the caller, and ``fhir_server`` the
    base URL that the call names, whether it is contacted or not: the two distinguish the patients
    of different hospitals.
    """

    printed = ("service", "as_of", "origin", "fhir_server")

    service: str
    patient_id: str
    as_of: datetime
    user: str | None = None
    encounter_id: str | None = None
    selections: tuple[str, ...] | None = ()
    draft_orders: bytes | None = None
    origin: Origin = ANYBODY
    fhir_server: str | None = None

    @property
    def patient(self) -> str:
        """The reference of the patient."""
        return f"Patient/{self.patient_id}"

    @property
    def encounter(self) -> str | None:
        """The reference of the encounter, where there is one."""
        return f"Encounter/{self.encounter_id}" if self.encounter_id else None

    @cached_property
    def identity(self) -> Identity:
        """Whose call it is. Only a keyed digest of it is kept beyond the call."""
        return Identity(self.origin, (self.fhir_server or "").rstrip("/"), self.patient_id)

    @cached_property
    def authored(self) -> str:
        """When orders are drafted that its cards offer, as an ISO instant."""
        return self.as_of.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
