"""The regression guard fails if a call becomes slower, and only then."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.testing.thorough import thorough
from tools.bench import calls, guard

pytestmark = thorough  # of the tools


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("guard")
        patch.setenv("CDS_DATABASE_URL", f"sqlite:///{folder}/guard.db")
        yield calls.application()


@pytest.mark.timed
def test_a_slowed_call_is_found(app):
    def twice_as_slow(environ, start):
        began = time.process_time()
        answer = app(environ, start)
        until = time.process_time() + time.process_time() - began
        while time.process_time() < until:
            pass
        return answer

    now = guard.ratios(app, rounds=15)
    slowed = guard.ratios(twice_as_slow, rounds=15)
    assert guard.slower(now, now) == []
    assert len(guard.slower(slowed, now)) == len(guard.FIXED_CALLS)


def test_what_is_allowed_ends_at_a_quarter_more():
    assert guard.slower({"a": 1.25}, {"a": 1.0}) == []
    (line,) = guard.slower({"a": 1.26}, {"a": 1.0})
    assert line == "a: 1.26 × the reference, recorded 1.00"


def test_a_call_without_a_record_is_not_passed():
    assert guard.slower({"new": 0.1}, {}) == ["new: 0.10 × the reference, recorded 0.00"]


def test_the_reference_is_frozen():
    assert guard.reference() == 5755, "recorded ratios are void when the reference changes"


def test_a_refused_call_is_not_counted(app):
    with pytest.raises(RuntimeError, match="answered 400"):
        calls.call(app, "/cds-services/leg-cramps-patient-view", b"{}")()


def test_every_fixed_call_is_recorded():
    import json

    assert json.loads(guard.RECORD.read_text())["ratios"].keys() == guard.FIXED_CALLS.keys()
