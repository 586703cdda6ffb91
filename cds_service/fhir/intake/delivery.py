"""What arrived for one kind of data, before anybody has read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from msgspec import Raw

from cds_service.core.facts import Availability, Kind, State
from cds_service.core.records import record
from cds_service.fhir.values.peeks import EntryPage, ResultPage


class Later:
    """A JSON value whose text is cut out of the body only when somebody asks for it."""

    __slots__ = ("_cut",)

    def __init__(self, cut: Callable[[], bytes]) -> None:
        self._cut = cut

    def __bytes__(self) -> bytes:
        return self._cut()


@record
class Delivery:
    """The raw JSON of one kind of data and the state it arrived in.

    ``pages`` are undecoded JSON values: Bundles or single resources, in the order they
    came; ``origin`` says by which way (``prefetch.results``, ``FHIR server``) and goes
    into every fact's source. ``reason`` explains a state that is not whole, in words for
    a clinician, without patient data. ``peeked`` is the first page where it was
    taken apart on arrival, so that this is not done twice.
    """

    kind: Kind
    state: State
    pages: tuple[bytes | Raw | Later, ...] = ()
    origin: str = ""
    reason: str = ""
    peeked: ResultPage | EntryPage | None = field(default=None, repr=False, compare=False)

    @property
    def availability(self) -> Availability:
        """The delivery as rules see it."""
        return Availability(self.state, self.reason)
