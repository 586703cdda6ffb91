"""What is remembered from call to call changes no answer: mutated requests, with it and without."""

from __future__ import annotations

import pytest

from cds_service.terminology.vocabulary import Vocabulary
from tools.bench.same import answered, mutated_lines

_REQUESTS = 300


def test_wordings_that_were_met_before_are_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(mutated_lines(_REQUESTS, seed=5))
    with_memory = list(answered(iter(lines)))
    monkeypatch.setattr(Vocabulary, "remembered", lambda _, raw, read: read())
    assert list(answered(iter(lines))) == with_memory
    statuses = {one[:7] for one in with_memory}
    assert len(statuses) > 1, "none was refused, or all were"
    assert len(set(with_memory)) > _REQUESTS / 3
