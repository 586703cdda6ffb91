"""Everything that the HTTP endpoints use, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cds_service.answer.answering import Answering
from cds_service.api.body import read_body
from cds_service.audit.recording import Recorder
from cds_service.core.identity import ANYBODY, Origin
from cds_service.engine.topic import Topic
from cds_service.errors import NotFound
from cds_service.feedback.records import Records
from cds_service.ops.metrics import Metrics
from cds_service.settings import Settings
from cds_service.sources.obtaining import Obtaining
from cds_service.trust.callers import Caller, Callers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

ADMITTED = "cds.admitted"
"""In the WSGI environ: the caller that the front end has verified, except for replay."""

STARTED = "cds.started"
"""In the WSGI environ: the value of ``time.monotonic()`` from which the call's deadline counts."""
FETCHED = "cds.fetched"
"""In the WSGI environ: the number of bytes that were fetched for the call."""


def _now() -> datetime:
    # In the server's time zone, so that the calendar day is the hospital's.
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the endpoints use.

    ``answering`` answers the calls of the site ``default``, ``sites`` those of each site by name.
    ``callers`` is None where anybody may call; ``now`` gives the time of a call, with time zone.
    """

    settings: Settings
    answering: Answering
    obtaining: Obtaining
    records: Records
    callers: Callers | None
    topics: Sequence[Topic]
    recorder: Recorder | None = None
    metrics: Metrics = field(default_factory=Metrics)
    sites: Mapping[str, Answering] = field(default_factory=dict)
    now: Callable[[], datetime] = _now

    @property
    def body_limit(self) -> int:
        """The largest body of a call, in bytes."""
        return int(self.settings.max_body_mb * 1e6)

    def origin(self, caller: Caller | None) -> Origin:
        """The origin of a call; the same for all where anybody may call."""
        if caller is None:
            return ANYBODY
        return Origin(caller.iss, caller.tenant or "", caller.client.site_of(caller.tenant))

    def at(self, origin: Origin, service: str) -> Answering:
        """The answering of a site. Raises NotFound for a service that the site does not have."""
        answering = self.sites[origin.site] if self.sites else self.answering
        if service not in answering.services:
            raise NotFound("Your site does not have this service.", "See CDS_SITES: topics.")
        return answering

    def body(self, environ: WSGIEnvironment, most: int | None = None) -> bytes:
        """The body of a request; ``most`` is a limit in bytes where it is lower than for calls.

        Raises the errors of `read_body`.
        """
        limit = self.body_limit if most is None else min(most, self.body_limit)
        return read_body(environ, limit)

    def verified(self, environ: WSGIEnvironment) -> Caller | None:
        """The caller; None where anybody may call. Raises Unauthorized and Unavailable."""
        if self.callers is None:
            return None
        admitted = environ.get(ADMITTED)
        if admitted is not None:
            return self.callers.require_first_use(admitted)
        return self.callers.verify(environ.get("HTTP_AUTHORIZATION"), environ["PATH_INFO"])
