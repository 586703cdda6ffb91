"""Replay while the database is away."""

import pytest

from cds_service.errors import Unavailable
from cds_service.trust import away
from cds_service.trust.away import RemembersWhileAway


class Store:
    """A store that can go away."""

    def __init__(self) -> None:
        self.here = True
        self.used: set[tuple[str, str]] = set()

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        if not self.here:
            raise Unavailable("away")
        first = (client, jti_digest) not in self.used
        self.used.add((client, jti_digest))
        return first


def test_the_store_decides_while_it_is_there() -> None:
    replay = RemembersWhileAway(Store())
    assert replay.first_use("ehr", "a", 100.0)
    assert not replay.first_use("ehr", "a", 100.0)
    assert replay.first_use("other", "a", 100.0)


def test_while_it_is_away_a_token_is_good_once_and_stays_used_when_it_is_back() -> None:
    store = Store()
    replay = RemembersWhileAway(store)
    store.here = False
    assert replay.first_use("ehr", "a", 100.0)
    assert not replay.first_use("ehr", "a", 100.0)
    store.here = True
    assert not replay.first_use("ehr", "a", 100.0)
    assert replay.first_use("ehr", "b", 100.0)


def test_a_full_memory_forgets_only_ended_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(away, "MOST", 2)
    store = Store()
    store.here = False
    replay = RemembersWhileAway(store, lambda: 50.0)
    assert replay.first_use("ehr", "ended", 40.0)
    assert replay.first_use("ehr", "valid", 60.0)
    assert replay.first_use("ehr", "third", 60.0)
    with pytest.raises(Unavailable, match="cannot be remembered"):
        replay.first_use("ehr", "one too many", 60.0)
    assert not replay.first_use("ehr", "third", 60.0)
    with pytest.raises(Unavailable):
        replay.first_use("ehr", "fourth", 60.0)
    assert not replay.first_use("ehr", "valid", 60.0)
