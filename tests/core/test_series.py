"""Which of several results counts."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from cds_service.core.facts import Problem, Result, Source
from cds_service.core.quantities import Interval, decimals_of
from cds_service.core.series import Candidate, Newest, Series, Worse
from hooks.knowledge.files import analytes

DAY = date(2026, 11, 20)


def at(
    text: str,
    clock: str = "",
    day: date = DAY,
    *,
    preliminary: bool = False,
    unusable: bool = False,
    kind: str = "unknown-unit",
    remarks: tuple[str, ...] = (),
) -> Candidate:
    """A potassium; without a clock it has only a date (the end of that day)."""
    moment = time.fromisoformat(clock) if clock else time(23, 59, 59, 999999)
    when = datetime.combine(day, moment, UTC)
    source = Source(f"Observation/{text}")
    problem = Problem(kind, "potassium", text, source, when)
    known = analytes()["potassium"]
    comparator = text.rstrip("0123456789.")
    value = Decimal(text[len(comparator) :] or "0")
    result = Result(
        analyte=known,
        value=Interval.compared(comparator if not unusable else "", value),
        decimals=decimals_of(value),
        unit=known.units["mmol/L"],
        when=when,
        day=day,
        day_only=not clock,
        source=source,
        remarks=remarks,
        preliminary=preliminary,
    )
    return Candidate(when, day, not clock, lambda: problem if unusable else result)


def newest(worse: Worse, *candidates: Candidate) -> Newest:
    """The newest result, which must not depend on the order of arrival."""
    first = Series(candidates).newest(worse)
    assert Series(reversed(candidates)).newest(worse) == first
    return first


def value(result: Result | None) -> str:
    return "" if result is None else result.reported.removesuffix(" mmol/L")


@pytest.mark.parametrize(
    ("candidates", "low", "high"),
    [
        pytest.param((at("3.2", "08:00"), at("4.1", "09:00")), "4.1", "4.1", id="newest by clock"),
        pytest.param((at("3.2", "08:00"), at("5.8", "08:00")), "3.2", "5.8", id="same instant"),
        pytest.param((at("3.2", "08:00"), at("5.8")), "3.2", "5.8", id="one has only a date"),
        pytest.param((at("3.2"), at("5.8")), "3.2", "5.8", id="both have only a date"),
        pytest.param(
            (at("3.2"), at("5.8", day=date(2026, 11, 21))), "5.8", "5.8", id="another day wins"
        ),
        pytest.param(
            (at("2.9", "07:00"), at("3.2", "23:00"), at("5.8")), "2.9", "5.8",
            id="all of a day tie with a result that has only a date",
        ),
        pytest.param(
            (at("<3.0", "08:00"), at("3.0", "08:00")), "<3.0", "3.0", id="below is worse than at"
        ),
        pytest.param(
            (at(">6.0", "08:00"), at("6.0", "08:00")), "6.0", ">6.0", id="above is worse than at"
        ),
    ],
)  # fmt: skip
def test_the_newest_wins_and_ties_go_to_the_worse(
    candidates: tuple[Candidate, ...], low: str, high: str
) -> None:
    assert value(newest(Worse.LOW, *candidates).result) == low
    assert value(newest(Worse.HIGH, *candidates).result) == high


def test_a_preliminary_result_is_kept_alongside_the_final_one() -> None:
    newest_results = newest(Worse.LOW, at("4.1", "08:00"), at("2.9", "09:00", preliminary=True))
    assert (value(newest_results.result), value(newest_results.tentative)) == ("4.1", "2.9")


def test_an_older_preliminary_result_is_superseded() -> None:
    newest_results = newest(Worse.LOW, at("4.1", "08:00"), at("2.9", "07:00", preliminary=True))
    assert newest_results.tentative is None


def test_a_preliminary_result_of_the_same_time_still_counts() -> None:
    newest_results = newest(Worse.LOW, at("4.1", "08:00"), at("2.9", "08:00", preliminary=True))
    assert (value(newest_results.result), value(newest_results.tentative)) == ("4.1", "2.9")


def test_a_result_of_a_doubtful_sample_can_raise_severity_but_never_clear() -> None:
    haemolysed = at("4.2", "09:00", remarks=("haemolysed",))
    newest_results = newest(Worse.LOW, at("3.1", "08:00"), haemolysed)
    assert (value(newest_results.result), value(newest_results.tentative)) == ("3.1", "4.2")
    assert [problem.kind for problem in newest_results.unusable] == ["sample"]
    assert "haemolysed" in newest_results.unusable[0].reason
    assert (
        newest_results.unusable_except(newest_results.tentative) == ()
    )  # if it raised a finding, it is not a problem
    assert newest_results.unusable_except(newest_results.result) == newest_results.unusable
    assert newest(Worse.HIGH, haemolysed).result is None


def test_of_a_preliminary_and_a_doubtful_result_the_worse_counts() -> None:
    newest_results = newest(
        Worse.LOW,
        at("4.1", "07:00"),
        at("2.4", "08:00", remarks=("haemolysed",)),
        at("4.0", "09:00", preliminary=True),
    )
    assert (value(newest_results.result), value(newest_results.tentative)) == ("4.1", "2.4")


def test_an_older_doubtful_result_is_superseded() -> None:
    newest_results = newest(
        Worse.HIGH, at("6.8", "07:00", remarks=("haemolysed",)), at("4.1", "08:00")
    )
    assert (newest_results.tentative, newest_results.unusable) == (None, ())


def test_preliminary_results_alone_give_no_final_result() -> None:
    newest_results = newest(Worse.LOW, at("2.9", "08:00", preliminary=True))
    assert newest_results.result is None
    assert value(newest_results.tentative) == "2.9"


@pytest.mark.parametrize(
    ("candidates", "unusable"),
    [
        pytest.param((at("4.1", "08:00"), at("9", "09:00", unusable=True)), 1, id="newer"),
        pytest.param((at("4.1", "08:00"), at("9", "07:00", unusable=True)), 0, id="older"),
        pytest.param((at("4.1", "08:00"), at("9", "08:00", unusable=True)), 1, id="same instant"),
        pytest.param((at("4.1"), at("9", unusable=True)), 1, id="both have only the date"),
        pytest.param(
            (at("4.1", "08:00"), at("9", "08:00", unusable=True, kind="no-value")), 0,
            id="same instant, without a value",
        ),
        pytest.param((at("4.1"), at("9", "09:00", unusable=True)), 1, id="may be newer"),
        pytest.param((at("9", "09:00", unusable=True),), 1, id="nothing usable"),
        pytest.param(
            (at("9", "09:00", unusable=True), at("8", day=date(2020, 1, 1), unusable=True)), 2,
            id="no limit",
        ),
    ],
)  # fmt: skip
def test_an_unusable_result_is_reported_if_it_is_newer(
    candidates: tuple[Candidate, ...], unusable: int
) -> None:
    assert len(newest(Worse.LOW, *candidates).unusable) == unusable


def test_an_undated_result_is_never_the_newest_and_never_forgotten() -> None:
    problem = Problem("undated", "potassium", "no date", Source("Observation/1"))
    newest_results = Series([at("4.1", "08:00")], [problem]).newest(Worse.LOW)
    assert value(newest_results.result) == "4.1"
    assert newest_results.unusable == (problem,)
    assert len(Series([at("4.1", "08:00")], [problem])) == 2


def test_older_results_are_not_read() -> None:
    def never() -> Result | Problem:
        raise AssertionError("an older result was read")

    older = Candidate(datetime(2020, 1, 1, tzinfo=UTC), date(2020, 1, 1), False, never)
    assert value(Series([older, at("4.1", "08:00")]).newest(Worse.LOW).result) == "4.1"


def test_each_result_is_read_once() -> None:
    reads = []
    inner = at("4.1", "08:00")

    def read() -> Result | Problem:
        reads.append(1)
        return inner.answer

    series = Series([Candidate(inner.when, inner.day, False, read)])
    series.newest(Worse.LOW)
    series.newest(Worse.HIGH)
    assert reads == [1]


def test_an_empty_series_has_no_result() -> None:
    assert newest(Worse.LOW) == Newest()


def test_results_older_than_requested_are_not_read_at_all() -> None:
    read: list[str] = []

    def candidate(text: str, clock: str) -> Candidate:
        known = at(text, clock)

        def answer() -> Result | Problem:
            read.append(text)
            return known.answer

        return Candidate(known.when, known.day, False, answer)

    series = Series(
        [candidate("4.1", "08:00"), candidate("4.0", "09:00"), candidate("4.2", "10:00")]
    )
    since = datetime.combine(DAY, time(9), UTC)
    assert [result.value.low for result in series.finals(since)] == [Decimal("4.2"), Decimal("4.0")]
    assert read == ["4.2", "4.0"]
