"""What was read about a patient is freed with the call, without the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from cds_service.core.series import Candidate, Series, Worse
from tests.fhir_reading.records import MAGNESIUM, lab, results


@pytest.fixture
def without_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive() -> int:
    return sum(isinstance(live, Candidate | Series) for live in gc.get_objects())


def test_reading_creates_no_reference_cycle(without_garbage_collection: None) -> None:
    before = alive()
    reading = results(lab(), lab(MAGNESIUM, 2.0, "mg/dL", id="o2"))
    for series in reading.series.values():
        found = series.newest(Worse.LOW).result
        assert found is not None
        assert reading.resources(found.source.reference)
    assert alive() == before + 4
    del reading, series, found
    assert alive() == before
