"""One running program for all vignettes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.vignettes.builders import Program


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The service, through HTTP, with a fixed clock."""
    with ExitStack() as stack:
        yield Program(tmp_path_factory.mktemp("vignettes"), stack)
