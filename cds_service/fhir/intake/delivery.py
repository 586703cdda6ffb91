"""What arrived for one kind of data, before it is read."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Raw

from cds_service.core.confidential import Confidential
from cds_service.core.facts import Availability, Kind, State
from cds_service.fhir.values.peeks import EntryPage, ResultPage


class LazyJson:
    """A JSON value whose text is cut out of the body only on demand."""

    __slots__ = ("_cut",)

    def __init__(self, cut: Callable[[], bytes]) -> None:
        self._cut = cut

    def __bytes__(self) -> bytes:
        return self._cut()


class Delivery(Confidential, frozen=True):
    """The raw JSON of one kind of data and the state in which it arrived.

    ``pages`` are undecoded JSON values: Bundles or single resources, in the order in which they
    arrived. ``origin`` says where they came from (``prefetch.results``, ``FHIR server``) and
    becomes part of every fact's source. ``reason`` explains a state that is not complete, in
    words for a clinician and without patient data. ``peeked`` is the first page where it was
    decoded on arrival, so that this is not done twice.
    """

    printed = ("kind", "state", "origin", "reason")

    kind: Kind
    state: State
    pages: tuple[bytes | Raw | LazyJson, ...] = ()
    origin: str = ""
    reason: str = ""
    peeked: ResultPage | EntryPage | None = None

    @property
    def availability(self) -> Availability:
        """The delivery as rules see it."""
        return Availability(self.state, self.reason)
