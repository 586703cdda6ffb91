"""A breaker: closed, open, half-open."""

from __future__ import annotations

from cds_service.ops.breaker import Breaker


class Clock:
    """Seconds that pass only when a test moves them on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(3, 5.0, clock=Clock())
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, breaker.failed):
        outcome()
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert breaker.refuses
    assert not breaker.allows()


def test_when_half_open_one_call_is_let_through_and_its_outcome_decides() -> None:
    clock, states = Clock(), list[str]()
    breaker = Breaker(1, 5.0, states.append, clock)
    breaker.failed()
    clock.now += 5
    assert not breaker.refuses
    assert [breaker.allows() for _ in range(3)] == [True, False, False]
    breaker.failed()
    assert not breaker.allows()
    clock.now += 5
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows() for _ in range(3)] == [True, True, True]
    assert states == ["open", "half-open", "open", "half-open", "closed"]


def test_a_try_that_never_reports_does_not_close_it_for_good() -> None:
    clock = Clock()
    breaker = Breaker(1, 5.0, clock=clock)
    breaker.failed()
    clock.now += 5
    assert breaker.allows()
    clock.now += 5
    assert breaker.allows()
