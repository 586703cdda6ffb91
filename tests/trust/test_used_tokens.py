"""Replay of tokens while the database is unavailable, in one process and in several."""

from __future__ import annotations

import os
import threading
from collections import Counter

import pytest

from cds_service.errors import Unavailable
from cds_service.trust.used_tokens import ReplayCheck, TokenUse, UsedTokens

NOW = 50.0


class Store:
    """A store that can become unavailable."""

    def __init__(self) -> None:
        self.available = True
        self.used: set[tuple[str, str]] = set()

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        if not self.available:
            raise Unavailable("unavailable")
        first = (client, jti_digest) not in self.used
        self.used.add((client, jti_digest))
        return first


def check(store: Store, used: UsedTokens | None = None) -> ReplayCheck:
    return ReplayCheck(store, lambda: NOW, used)


def test_the_store_decides_while_it_is_available() -> None:
    store = Store()
    replay = check(store)
    assert replay.first_use("ehr", "a", 100.0)
    assert not replay.first_use("ehr", "a", 100.0)
    assert replay.first_use("other", "a", 100.0)
    assert not check(store).first_use("ehr", "a", 100.0)


def test_without_the_store_a_token_is_valid_once_and_stays_used_afterwards() -> None:
    store = Store()
    replay = check(store)
    store.available = False
    assert replay.first_use("ehr", "a", 100.0)
    assert not replay.first_use("ehr", "a", 100.0)
    store.available = True
    assert not replay.first_use("ehr", "a", 100.0)
    assert replay.first_use("ehr", "b", 100.0)


def test_a_token_used_before_an_outage_is_not_valid_again_during_it() -> None:
    store = Store()
    replay = check(store)
    assert replay.first_use("ehr", "a", 100.0)
    store.available = False
    assert not replay.first_use("ehr", "a", 100.0)


def test_without_shared_memory_only_the_store_decides_and_without_it_all_are_refused() -> None:
    store = Store()
    replay = check(store, UsedTokens(buckets=1))
    store.available = False
    assert replay.first_use("ehr", "expired", 40.0)
    for number in range(16):
        assert replay.first_use("ehr", f"valid {number}", 60.0)
    with pytest.raises(Unavailable, match="cannot be remembered"):
        replay.first_use("ehr", "one too many", 60.0)
    assert not replay.first_use("ehr", "valid 0", 60.0)
    store.available = True
    assert replay.first_use("ehr", "one too many", 60.0)
    assert not replay.first_use("ehr", "one too many", 60.0)


@pytest.mark.parametrize("expires", [60, 1e18, 2.0**62, float(10**30)])
def test_a_token_that_never_ends_is_remembered_too(expires: float) -> None:
    used = UsedTokens(buckets=2)
    assert used.add("ehr", "a", expires, NOW) is TokenUse.FIRST
    assert used.add("ehr", "a", expires, NOW) is TokenUse.KNOWN


def test_only_one_thread_or_process_of_a_host_uses_a_token_first() -> None:
    used = UsedTokens(buckets=64)
    tokens = [f"token {number}" for number in range(100)]
    reading, writing = os.pipe()
    children = []
    for _ in range(4):
        child = os.fork()
        if not child:
            firsts: list[str] = []

            def use(firsts: list[str] = firsts) -> None:
                for token in tokens:
                    if used.add("ehr", token, 60.0, NOW) is TokenUse.FIRST:
                        firsts.append(token)

            threads = [threading.Thread(target=use) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            os.write(writing, "".join(f"{token}\n" for token in firsts).encode())
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    os.close(writing)
    with os.fdopen(reading) as pipe:
        uses = Counter(pipe.read().splitlines())

    assert uses == Counter(tokens)
    assert used.add("ehr", tokens[0], 60.0, NOW) is TokenUse.KNOWN


def test_checking_a_used_token_is_fast() -> None:
    import timeit

    used = UsedTokens()
    numbers = iter(range(10_000))
    seconds = timeit.timeit(lambda: used.add("ehr", str(next(numbers)), 60.0, NOW), number=5000)
    assert seconds / 5000 < 0.0005
