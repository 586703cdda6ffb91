"""Where results and limits are drawn on the timeline."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from cds_service.core.analytes import Analyte
from cds_service.core.facts import Result, Source
from cds_service.core.knowledge import Limit
from cds_service.core.quantities import Interval, Unit
from cds_service.demo.timeline import HEIGHT, MOST_POINTS, WIDTH, timeline

TODAY = date(2026, 11, 23)
MMOL = Unit("mmol/L")
TENTH = Unit("0.1 mmol/L", factor=MMOL.factor / 10)
POTASSIUM = Analyte("potassium", "Potassium", "mmol/L", {}, (Decimal(1), Decimal(12)))


def result(day: date, value: str, *, comparator: str = "", unit: Unit = MMOL) -> Result:
    return Result(
        analyte=POTASSIUM,
        value=Interval.compared(comparator, Decimal(value)),
        decimals=1,
        unit=unit,
        when=datetime(day.year, day.month, day.day, 8, tzinfo=UTC),
        day=day,
        day_only=False,
        source=Source("Observation/1"),
    )


def limit(key: str, value: str) -> Limit:
    return Limit(key, Decimal(value), "mmol/L", "article", TODAY, "a limit")


LIMITS = [limit(f"potassium.{name}", value) for name, value in
          (("severe", "2.5"), ("urgent", "3.0"), ("low", "3.5"), ("high", "5.5"))]  # fmt: skip


def test_later_results_are_further_right_and_higher_values_further_up() -> None:
    plot = timeline(
        [result(date(2026, 11, 1), "4.5"), result(date(2026, 5, 1), "3.2")], LIMITS, TODAY
    )
    older, newer = plot.dots
    assert older.x < newer.x
    assert older.y > newer.y
    assert (older.newest, newer.newest) == (False, True)
    assert all(0 <= dot.x <= WIDTH and 0 <= dot.y <= HEIGHT for dot in plot.dots)


def test_the_next_limits_on_either_side_and_those_between_are_drawn() -> None:
    plot = timeline([result(TODAY, "3.2"), result(date(2026, 6, 1), "4.5")], LIMITS, TODAY)
    assert [line.number for line in plot.lines] == ["3.0", "3.5", "5.5"]
    heights = {line.number: line.y for line in plot.lines}
    older, newer = plot.dots
    assert heights["5.5"] < older.y < heights["3.5"] < newer.y < heights["3.0"]


def test_a_value_on_a_limit_is_drawn_on_its_line() -> None:
    plot = timeline([result(TODAY, "3.0")], LIMITS, TODAY)
    assert plot.dots[0].y == next(line.y for line in plot.lines if line.number == "3.0")


def test_values_in_other_units_are_placed_by_the_canonical_unit() -> None:
    plot = timeline([result(TODAY, "30", unit=TENTH)], LIMITS, TODAY)
    assert plot.dots[0].y == next(line.y for line in plot.lines if line.number == "3.0")
    assert plot.dots[0].words.startswith("30 0.1 mmol/L")
    assert plot.unit == "mmol/L"


def test_a_value_with_a_comparator_is_drawn_hollow_and_reported() -> None:
    plot = timeline([result(TODAY, "2.0", comparator="<")], [], TODAY)
    assert not plot.dots[0].exact
    assert "<2.0 mmol/L" in plot.words


def test_the_timeline_covers_at_least_the_last_year() -> None:
    recent = timeline([result(date(2026, 11, 20), "4.0")], LIMITS, TODAY)
    assert (recent.first, recent.last) == (date(2025, 11, 23), TODAY)
    old = timeline([result(date(2020, 1, 1), "4.0")], LIMITS, TODAY)
    assert old.first == date(2020, 1, 1)
    assert old.dots[0].x < WIDTH / 8


def test_only_the_newest_of_very_many_results_are_drawn() -> None:
    many = [result(date(2026, 1 + n // 28, 1 + n % 28), "4.0") for n in range(MOST_POINTS + 20)]
    plot = timeline(many, LIMITS, TODAY)
    assert len(plot.dots) == MOST_POINTS
    assert plot.dots[-1].words.endswith(many[-1].day.isoformat())
