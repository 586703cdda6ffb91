"""The longest names that a caller may have, in characters that need the most space."""

from __future__ import annotations

import random

import pytest

from cds_service.core.identity import Origin
from cds_service.errors import Unavailable
from cds_service.feedback.records import Records, open_records
from cds_service.feedback.store import SavedFeedback
from cds_service.trust.callers import LONGEST_TENANT


def _long(length: int, seed: int) -> str:
    chance = random.Random(seed)
    return "".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(length))


def _save(records: Records, tenant: str) -> SavedFeedback:
    answer = {"card": _long(255, 1), "outcome": "accepted",
              "outcomeTimestamp": "2026-01-02T03:04:05Z",
              "acceptedSuggestions": [{"id": _long(255, 2)}]}  # fmt: skip
    origin = Origin(issuer=f"https://{'ehr' * 60}.example", tenant=tenant)
    return records.feedback.save("any-service", {"feedback": [answer]}, origin)


def test_feedback_with_the_longest_names_is_stored(database_url: str) -> None:
    records = open_records(database_url, [], None)
    tenant = _long(LONGEST_TENANT, 3)

    assert _save(records, tenant).unknown == 1
    assert _save(records, tenant).repeats == 1
    records.close()


@pytest.mark.postgres
def test_text_that_is_too_long_for_the_database_is_not_an_outage(empty_postgres: str) -> None:
    records = open_records(empty_postgres, [], None)
    changes: list[str] = []
    records.database.on_breaker_change = changes.append

    with pytest.raises(Unavailable, match="ProgramLimitExceeded"):
        _save(records, _long(512, 4))

    assert changes == []
    assert _save(records, "north").unknown == 1
    records.close()
