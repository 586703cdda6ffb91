"""Windows counted back in days and months, and completed years."""

from datetime import date

import pytest

from cds_service.core.times import Window, days, months, years_between


@pytest.mark.parametrize(
    ("window", "today", "start"),
    [
        (days(30), date(2026, 11, 23), date(2026, 10, 24)),
        (days(90), date(2026, 3, 1), date(2025, 12, 1)),
        (months(12), date(2026, 11, 23), date(2025, 11, 23)),
        (months(12), date(2024, 2, 29), date(2023, 2, 28)),
        (months(6), date(2026, 8, 31), date(2026, 2, 28)),
        (months(6), date(2026, 3, 31), date(2025, 9, 30)),
        (months(36), date(2027, 2, 28), date(2024, 2, 28)),
        (months(1), date(2026, 1, 31), date(2025, 12, 31)),
    ],
)
def test_the_start_of_a_window(window: Window, today: date, start: date) -> None:
    assert window.start(today) == start


@pytest.mark.parametrize(
    ("window", "words"),
    [
        (days(30), "30 days"),
        (months(12), "12 months"),
        (months(6), "6 months"),
        (months(36), "3 years"),
    ],
)
def test_a_window_in_words(window: Window, words: str) -> None:
    assert str(window) == words


@pytest.mark.parametrize(
    ("birth", "today", "age"),
    [
        (date(1961, 11, 23), date(2026, 11, 23), 65),
        (date(1961, 11, 24), date(2026, 11, 23), 64),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2026, 11, 23), date(2026, 11, 23), 0),
    ],
)
def test_completed_years(birth: date, today: date, age: int) -> None:
    assert years_between(birth, today) == age
