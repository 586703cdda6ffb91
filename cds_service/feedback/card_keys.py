"""The secret keys of card ids: where they come from and how they are rotated.

Without CDS_CARD_KEY the key is made once and kept in the database for all processes. `cds-service
data rotate-key` makes a new one; ids made under the previous key are recognised for 90 more days,
so that feedback on cards already shown still counts. With CDS_CARD_KEY set, the setting has all
keys: ``NEW,OLD@2027-02-25`` makes ids under NEW and recognises those of OLD up to that day.

While the database cannot be reached, ids are made under a temporary key of the process, which
is stored among the earlier ones as soon as possible.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection

from cds_service.errors import BadRequest, StartupError
from cds_service.feedback.card_ids import KEY_BYTES, CardIds
from cds_service.storage.database import Database
from cds_service.storage.tables import earlier_card_keys, insert_into, kept_secrets

OVERLAP_DAYS = 90
SHORTEST_KEY = 16
_NAME = "card_key"
_DATED = re.compile(r"(.+)@([0-9]{4}-[0-9]{2}-[0-9]{2})", re.DOTALL)


def _today() -> date:
    return datetime.now(UTC).date()


class CardKeys:
    """Gives ``ids`` their keys, from the setting or the database.

    ``today()`` gives the current day. Raises StartupError for a setting that cannot be used.
    """

    def __init__(self, setting: str | None, today: Callable[[], date] = _today) -> None:
        self._today = today
        self.from_setting = setting is not None
        self._temporary = secrets.token_bytes(KEY_BYTES)
        keys = [self._temporary] if setting is None else read_setting(setting, today())
        self.ids = CardIds(keys[0], keys[1:])

    def settle(self, database: Database) -> None:
        """Use the keys in the database; the first process makes one. Raises Unavailable."""
        if self.from_setting:
            return
        with database.write() as connection:
            _keep_first(connection)
            if self.ids.used and self._temporary:
                _keep_earlier(connection, self._temporary, self._last_day())
            self.refresh(connection)
        self._temporary = b""

    def refresh(self, connection: Connection) -> None:
        """Use the keys that another process has changed."""
        if self.from_setting:
            return
        query = select(kept_secrets.c.value).where(kept_secrets.c.name == _NAME)
        key = connection.execute(query).scalar_one_or_none()
        if key is None:
            return  # no process has made a key yet
        columns = earlier_card_keys.c
        query = select(columns.value).where(columns.until >= self._today().isoformat())
        earlier = [bytes.fromhex(value) for value in connection.execute(query).scalars()]
        if self._temporary:
            earlier.append(self._temporary)
        self.ids.use(bytes.fromhex(key), earlier)

    def reread(self, database: Database) -> None:
        """`refresh` in a transaction of its own. Raises Unavailable."""
        if not self.from_setting:
            with database.read() as connection:
                self.refresh(connection)

    def rotate(self, database: Database) -> date:
        """Make a new key; returns the last day on which the previous one is valid.

        Raises BadRequest where the key is a setting, and Unavailable.
        """
        if self.from_setting:
            raise BadRequest(
                "CDS_CARD_KEY is set: the key is not kept in the database.",
                f"Set CDS_CARD_KEY to {secrets.token_hex(KEY_BYTES)},<the previous key>"
                f"@{self._last_day()} and restart.",
            )
        last = self._last_day()
        with database.write() as connection:
            _keep_first(connection)
            name = kept_secrets.c.name == _NAME
            # Locks the row: two rotations at once take turns.
            query = select(kept_secrets.c.value).where(name).with_for_update()
            _keep_earlier(connection, bytes.fromhex(connection.execute(query).scalar_one()), last)
            new = secrets.token_hex(KEY_BYTES)
            connection.execute(update(kept_secrets).where(name).values(value=new))
            past = earlier_card_keys.c.until < self._today().isoformat()
            connection.execute(delete(earlier_card_keys).where(past))
            self.refresh(connection)
        return last

    def _last_day(self) -> date:
        return self._today() + timedelta(days=OVERLAP_DAYS)


def read_setting(setting: str, today: date) -> list[bytes]:
    """The keys in CDS_CARD_KEY: first the one that makes ids, then earlier ones still valid.

    Raises StartupError for a key that is too short or a date that does not exist.
    """
    first, *rest = setting.split(",")
    dated = [_DATED.fullmatch(part.strip()) for part in rest]
    if not all(dated):  # the comma is part of a key, set before there could be several
        first, dated = setting, []
    keys = [first]
    for found in dated:
        assert found is not None  # all() has just said so
        try:
            if date.fromisoformat(found[2]) >= today:
                keys.append(found[1])
        except ValueError:
            raise StartupError(
                f"CDS_CARD_KEY: {found[2]} is not a date.", "Write KEY,EARLIER@2027-02-25."
            ) from None
    if any(len(key) < SHORTEST_KEY for key in keys):
        raise StartupError(
            f"CDS_CARD_KEY is shorter than {SHORTEST_KEY} characters.",
            "Use 64 random hexadecimal digits, or unset it.",
        )
    return [key.encode() for key in keys]


def _keep_first(connection: Connection) -> None:
    connection.execute(
        insert_into(connection, kept_secrets).on_conflict_do_nothing(),
        {"name": _NAME, "value": secrets.token_hex(KEY_BYTES)},
    )


def _keep_earlier(connection: Connection, key: bytes, last: date) -> None:
    connection.execute(
        insert_into(connection, earlier_card_keys).on_conflict_do_nothing(),
        {"value": key.hex(), "until": last.isoformat()},
    )
