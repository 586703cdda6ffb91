"""What is remembered from call to call changes no answer: damaged calls, with it and without."""

from __future__ import annotations

import pytest

from cds_service.terminology.vocabulary import Vocabulary
from tests.testing.thorough import thorough
from tools.bench.same import answered, lines

pytestmark = thorough  # of the tools

_CALLS = 600


def test_wordings_that_were_read_before_are_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = list(lines(_CALLS, seed=5))
    with_memory = list(answered(iter(calls)))
    monkeypatch.setattr(Vocabulary, "cached_wording", lambda _, raw, read: read())
    assert list(answered(iter(calls))) == with_memory
    assert len({line[:7] for line in with_memory}) > 1, "none was refused, or all were"
    assert len({line for line in with_memory if line.startswith('["200')}) > _CALLS / 4
