"""Branches that the rules and topics of today do not take."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from cds_service.core.facts import Reason
from cds_service.engine import knowledge_flaws
from cds_service.engine.agreement import differences
from cds_service.engine.faults import bare
from cds_service.engine.guarded import GuardedOptions, UndeclaredError
from cds_service.engine.rule import Finding, Indicator
from hooks import TOPIC, cramps
from tests.testing.given import given


def test_entries_without_fields_differ_in_their_value() -> None:
    assert differences("a", "b") == ("value",)
    assert differences({"a": 1}, {"a": 1}) == ()
    assert differences(frozenset({"a"}), frozenset({"b"})) == ("value",)
    assert differences(1, "1") == ("value",)
    assert differences(Reason(given=True), Reason()) == ("given",)


def test_the_options_of_another_topic_are_neither_listed_nor_counted() -> None:
    rule = TOPIC.rules[0]
    options = GuardedOptions({"own": "1", "other": "2"}, {"own"}, rule)
    assert dict(options) == {"own": "1"}
    assert len(options) == 1
    with pytest.raises(UndeclaredError):
        options["other"]


def test_a_finding_whose_orders_cannot_be_read_keeps_its_severity() -> None:
    broken = Finding(Indicator.WARNING, "Low", (), about=cast("Any", 7), evidence=cast("Any", 7))
    written = bare(TOPIC.rules[0], broken)
    assert (written.indicator, written.summary, written.about) == (Indicator.WARNING, "Low", ())


def test_an_order_may_cover_an_analyte() -> None:
    known = TOPIC.knowledge
    analyte = known.analytes["magnesium"]
    known = replace(known, analytes={**known.analytes, "not_ordered_yet": analyte})
    order = replace(known.orderables["magnesium"], covers=frozenset({"not_ordered_yet", "neither"}))
    flaws = [what for what, _ in knowledge_flaws._of_order(order, known, "hooks/knowledge")]
    assert [what.split()[2] for what in flaws] == ["neither,"]


def test_the_reason_of_an_order_tells_how_severe_the_cramps_are() -> None:
    reason = Reason(given=True, concepts=frozenset({cramps.LEG_CRAMPS}), words="severe leg cramps")
    assert cramps.severe(given().encounter_for(reason).facts()) == "severe"
