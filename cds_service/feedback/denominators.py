"""What cards are counted against: patients, encounters, clinicians and orders, each once a day.

Only keyed digests are stored, made under the card key: they tell that two calls are for the same
patient, but not for whom. When the key changes, a patient is counted again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.engine import Connection

from cds_service.core.identity import DEMO_SITE
from cds_service.errors import Unavailable
from cds_service.ops.forks import after_fork
from cds_service.storage.database import Database
from cds_service.storage.tables import denominators, insert_into

PATIENT, ENCOUNTER, CLINICIAN, ORDER = "patient", "encounter", "clinician", "order"


class Denominator(NamedTuple):
    """One patient, encounter, clinician or order for which a service was called on a day."""

    site: str
    service: str
    day: date
    kind: str
    digest: str


class Denominators:
    """Collects patients, encounters, clinicians and orders until ``flush`` writes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._collected: set[Denominator] = set()
        after_fork(self._forked)

    def add(self, of_call: Iterable[Denominator]) -> None:
        """Remember those of one call."""
        with self._lock:
            self._collected.update(of_call)

    def flush(self) -> None:
        """Write them to the database. Raises Unavailable, and then keeps them."""
        with self._lock:
            collected, self._collected = self._collected, set()
        if not collected:
            return
        try:
            with self._database.write() as connection:
                connection.execute(
                    insert_into(connection, denominators).on_conflict_do_nothing(),
                    [
                        counted._asdict() | {"day": counted.day.isoformat()}
                        for counted in sorted(collected)
                    ],
                )
        except Unavailable:
            with self._lock:
                self._collected.update(collected)
            raise

    def _forked(self) -> None:
        self._lock = threading.Lock()
        self._collected = set()  # the parent writes its own


def of_site(column: ColumnElement[str], site: str | None) -> ColumnElement[bool]:
    """The condition for rows of one site, or, for None, of all sites except the demo page."""
    return column != DEMO_SITE if site is None else column == site


class Totals(NamedTuple):
    """The counts for some services: distinct patients, encounters, clinicians per day, orders."""

    patients: int
    encounters: int
    clinician_days: int
    orders: int


def totals(connection: Connection, services: Iterable[str], site: str | None) -> Totals:
    """The totals of some services (their ids), for one site or, with None, for all."""
    columns = denominators.c
    where = [columns.service.in_(sorted(services)), of_site(columns.site, site)]
    once = select(columns.kind, columns.digest).where(*where).distinct().subquery()
    counted = select(once.c.kind, func.count()).group_by(once.c.kind)
    numbers = {kind: int(number) for kind, number in connection.execute(counted)}
    daily = (
        select(columns.day, columns.digest)
        .where(*where, columns.kind == CLINICIAN)
        .distinct()
        .subquery()
    )
    days = int(connection.execute(select(func.count()).select_from(daily)).scalar_one())
    return Totals(numbers.get(PATIENT, 0), numbers.get(ENCOUNTER, 0), days, numbers.get(ORDER, 0))
