"""One FHIR server for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fhir_server.medplum import FhirServer, missing, started


@pytest.fixture(scope="session")
def fhir_server() -> Iterator[FhirServer]:
    """A running FHIR server by other authors. Call its `reset` first: others loaded it."""
    if reason := missing():
        pytest.skip(reason)
    with started() as server:
        yield server
