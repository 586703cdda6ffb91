"""Everything that is kept beyond a call, opened together for the application factory.

``open_records`` opens no connection. ``Records.start`` tries once and continues without the
database; the upkeep thread then does the rest as soon as the database is available. Until then
card ids are made under a temporary key of this process (see `card_keys`).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from cds_service.core.call import Call
from cds_service.core.identity import DEFAULT_SITE
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.card_keys import CardKeys
from cds_service.feedback.denominators import (
    CLINICIAN,
    ENCOUNTER,
    ORDER,
    PATIENT,
    Denominator,
    Denominators,
)
from cds_service.feedback.rules_seen import RulesSeen
from cds_service.feedback.shown import CALL, SHOWN, ShownCounters
from cds_service.feedback.snooze import SnoozeStore
from cds_service.feedback.store import FeedbackStore
from cds_service.storage.database import Database, open_database
from cds_service.storage.replay import DatabaseReplay
from cds_service.storage.upkeep import Upkeep

REREAD_SECONDS = 60.0
"""How soon a process uses a card key that another process changed."""


class Records:
    """The database and everything that uses it, for one process and the workers it forks."""

    def __init__(self, database: Database, seen: RulesSeen, keys: CardKeys) -> None:
        self.database = database
        self.keys = keys
        self.card_ids = keys.ids
        self.feedback = FeedbackStore(database, seen, keys)
        self.shown_cards = ShownCounters(database)
        self.denominators = Denominators(database)
        self.snooze = SnoozeStore(database, keys.ids)
        self.replay = DatabaseReplay(database)
        self.upkeep = Upkeep(
            [
                database.probe,
                self._settle,
                self.shown_cards.flush,
                self.denominators.flush,
                self._reread_keys,
            ]
        )
        self._seen = seen
        self._settled = False
        self._reread_at = 0.0

    def start(self) -> None:
        """Migrate, use the shared key and record the rules.

        The upkeep thread does it later where the database is unavailable.
        """
        self.upkeep.run_once()
        if not self._settled:
            self.upkeep.touch()

    def count_shown(
        self, service: str, rule: str, version: str, site: str = DEFAULT_SITE, event: str = SHOWN
    ) -> None:
        """Count one card shown today; it reaches the database within seconds."""
        self.shown_cards.add(service, rule, version, site=site, event=event)
        self.upkeep.touch()

    def count_call(
        self,
        call: Call,
        events: Iterable[tuple[str, str, str]],
        orders: Iterable[str] = (),
    ) -> None:
        """Count one call, its patient, clinician and encounter, and its rules' outcomes.

        It reaches the database within seconds. ``events`` are (rule, version, event), and
        ``orders`` the references of the orders that were judged. Only keyed digests are stored.
        """
        origin, server, patient = call.identity
        day, site, service = datetime.now(UTC).date(), origin.site, call.service
        self.shown_cards.add_all(service, [("", "", CALL), *events], day, site)
        where = (*origin, server)
        denominators = [(PATIENT, patient)]
        denominators += [(CLINICIAN, call.user)] if call.user else []
        denominators += [(ENCOUNTER, call.encounter_id)] if call.encounter_id else []
        digest = self.card_ids.pseudonym
        self.denominators.add(
            [
                *(
                    Denominator(site, service, day, kind, digest(kind, *where, who))
                    for kind, who in denominators
                ),
                *(
                    Denominator(site, service, day, ORDER, digest(ORDER, *where, patient, order))
                    for order in orders
                ),
            ]
        )
        self.upkeep.touch()

    def close(self) -> None:
        """Write what is still in memory and close the connections."""
        self.upkeep.close()
        self.database.close()

    def _settle(self) -> None:
        if self._settled:
            return
        self.database.migrate()
        self.keys.settle(self.database)
        self._seen.record(self.database)
        self._settled = True

    def _reread_keys(self) -> None:
        now = time.monotonic()
        if self._settled and now >= self._reread_at:
            self.keys.reread(self.database)
            self._reread_at = now + REREAD_SECONDS


def open_records(
    database_url: str, rules: Iterable[RuleVersion], card_key: str | None = None
) -> Records:
    """Everything that is kept beyond a call, not yet connected; see ``Records.start``.

    ``rules`` are (id, version) of every rule of the program; ``card_key`` is the setting.
    Raises StartupError for a URL that cannot be used, a key shorter than 16 characters, or
    two rules with the same tag.
    """
    return Records(open_database(database_url), RulesSeen(rules), CardKeys(card_key))
