"""What arrived for one kind of data, before anybody has read it."""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.core.facts import Availability, Kind, State


@dataclass(frozen=True, slots=True)
class Delivery:
    """The raw JSON of one kind of data and the state it arrived in.

    ``pages`` are undecoded JSON values: Bundles or single resources, in the order they
    came; ``origin`` says by which way (``prefetch.results``, ``FHIR server``) and goes
    into every fact's source. ``reason`` explains a state that is not whole, in words for
    a clinician, without patient data.
    """

    kind: Kind
    state: State
    pages: tuple[bytes, ...] = ()
    origin: str = ""
    reason: str = ""

    @property
    def availability(self) -> Availability:
        """The delivery as rules see it."""
        return Availability(self.state, self.reason)
