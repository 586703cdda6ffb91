"""A fault in what a rule returns costs that rule's card, never the call.

Source: fault 20 of the attacks: an unknown order key or override code was a 500.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from cds_service.answer.cards import Cards
from cds_service.answer.checking import flaws
from cds_service.answer.evidence import UNWRITTEN
from cds_service.answer.trace import as_json
from cds_service.answer.writing import CardWriter
from cds_service.api.asking import ask
from cds_service.app import make_parts
from cds_service.core.call import Call
from cds_service.engine import arranging
from cds_service.engine.arranging import Priorities
from cds_service.engine.hook import PATIENT_VIEW
from cds_service.engine.rule import (
    DraftMedication,
    Evidence,
    Finding,
    Indicator,
    OrderTest,
    Outcome,
    RemoveDraft,
)
from cds_service.feedback.card_ids import CardIds
from cds_service.feedback.snooze import SnoozeStore
from cds_service.settings import Settings
from hooks import TOPIC
from hooks.knowledge.files import orderables, references
from hooks.rules.data_not_usable import data_not_usable
from tests.api import minimal_service
from tests.api.conftest import service
from tests.api.minimal_service import NOW, VIEW, body, feedback, low_potassium, post, topics
from tests.testing.given import given

__all__ = ["service"]


def _with(changes: Any = None, **fields: Any) -> Any:
    """A rule that returns low potassium with other fields; a function makes them of the finding."""
    sound = low_potassium

    def check(facts: Any) -> Any:
        answer = sound.check(facts)
        assert isinstance(answer, Finding)
        return changed(answer, **(changes(answer) if callable(changes) else changes or fields))

    return replace(sound, id="faulty", title="A faulty rule", check=check)


FAULTY = {
    "an override code that is on no list": {"overrides": ("no-such-code",)},
    "a text where a suggestion belongs": {"suggestions": ("magnesium",)},
    "a number where a text belongs": {"summary": 7},
    "nothing where a list belongs": {"advice": None},
    "an indicator that is on no list": {"indicator": "alarming"},
    "evidence that is not a fact": {"evidence": (object(),)},
    "an order key that is a list": {"suggestions": (OrderTest(["x"]),)},  # type: ignore[arg-type]
    "a drug key that is a number": {"suggestions": (DraftMedication(7),)},  # type: ignore[arg-type]
    "a reason that is no text": {"suggestions": (OrderTest("potassium", why=b"x"),)},  # type: ignore[arg-type]
    "a part that is a list": {"suggestions": (OrderTest("potassium", parts=([],)),)},  # type: ignore[arg-type]
    "parts that are a number": {"suggestions": (OrderTest("potassium", parts=3),)},  # type: ignore[arg-type]
    "parts that are a text": {"suggestions": (OrderTest("potassium", parts="potassium"),)},  # type: ignore[arg-type]
    "a draft that is a list": {"suggestions": (RemoveDraft(["x"], "x"),)},  # type: ignore[arg-type]
    "a draft that is an object": {"suggestions": (RemoveDraft(object(), "x"),)},  # type: ignore[arg-type]
    "a draft without a name": {"suggestions": (RemoveDraft("ServiceRequest/1", None),)},  # type: ignore[arg-type]
    "a fact without a source": lambda finding: {"evidence": (_fact(finding, source=None),)},
    "a source that is a text": lambda finding: {"evidence": (_fact(finding, source="lab"),)},
    "a note that is a number": lambda finding: {
        "evidence": (Evidence(finding.evidence[0].fact, note=7),)  # type: ignore[arg-type]
    },
}


def _fact(finding: Finding, **fields: Any) -> Evidence:
    return Evidence(changed(finding.evidence[0].fact, **fields))


@pytest.mark.parametrize("changes", FAULTY.values(), ids=FAULTY)
def test_a_fault_costs_one_card_and_the_others_are_shown(service: Any, changes: Any) -> None:
    client = service(_with(changes))
    response = post(client, VIEW, body())
    assert topics(response) == ["low-potassium"]
    assert _failures(client) == 1


def _failures(client: Any, rule: str = "faulty") -> int:
    counted = f'cds_rule_failures_total{{rule="{rule}",topic="leg-cramps"}} '
    lines = client.get("/metrics").text.splitlines()
    return sum(int(float(line.removeprefix(counted))) for line in lines if line.startswith(counted))


def _left_out(client: Any) -> list[str]:
    lines = client.get("/metrics").text.splitlines()
    return [line.split('"')[1] for line in lines if line.startswith("cds_steps_left_out_total{")]


def _card(response: Any, rule: str = "faulty") -> Any:
    cards = response.get_json()["cards"]
    return next(card for card in cards if card["source"]["topic"]["code"] == rule)


NOT_WRITTEN = "The details of this card could not be written; an error was logged."


@pytest.mark.parametrize(
    "fields", [{"when": None}, {"value": None}, {"unit": 7}, {"analyte": None}], ids=str
)
@pytest.mark.parametrize("snooze", [False, True])
def test_a_fact_that_cannot_be_read_costs_the_details_of_its_card(
    service: Any, fields: dict[str, Any], snooze: bool
) -> None:
    faulty = _with(
        lambda finding: {
            "evidence": (_fact(finding, **fields),),
            "suggestions": (OrderTest("potassium"),),
        }
    )
    client = service(faulty, snooze=snooze)
    response = post(client, VIEW, body())
    assert topics(response) == ["low-potassium", "faulty"]
    card = _card(response)
    assert NOT_WRITTEN in card["detail"]
    assert (card["summary"], card["indicator"]) == ("Potassium is low", "warning")
    assert "suggestions" not in card
    assert flaws(response.get_json()) == []
    assert NOT_WRITTEN not in _card(response, "low-potassium")["detail"]
    assert _failures(client) == 1


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "an empty summary": ({"summary": ""}, "A faulty rule"),
    "a blank summary": ({"summary": " \n "}, "A faulty rule"),
    "half a surrogate pair in the summary": ({"summary": "\ud800"}, "A faulty rule"),
    "half a surrogate pair in the advice": ({"advice": ("5 \udfff mmol",)}, "Potassium is low"),
    "half a surrogate pair in a heading": ({"sections": (("\ud800", "x"),)}, "Potassium is low"),
    "half a pair in a reason": (
        {"suggestions": (OrderTest("potassium", "\ud800"),)},
        "Potassium is low",
    ),
    "an unknown reference": ({"reference": "no-such"}, "Potassium is low"),
    "override reasons in a list": ({"overrides": ["action-completed"]}, "Potassium is low"),
    "suggestions in a list": ({"suggestions": [OrderTest("potassium")]}, "Potassium is low"),
}


@pytest.mark.parametrize("what", INVALID)
def test_a_text_that_no_card_may_have_leaves_the_answer_valid(service: Any, what: str) -> None:
    changes, summary = INVALID[what]
    client = service(_with(changes))
    response = post(client, VIEW, body())
    assert topics(response) == ["low-potassium", "faulty"]
    assert flaws(response.get_json()) == []
    assert _card(response)["summary"] == summary
    assert (NOT_WRITTEN in _card(response)["detail"]) is (what == "an unknown reference")


def test_a_trace_says_which_fact_could_not_be_written(tmp_path: Path) -> None:
    faulty = _with(lambda finding: {"evidence": (_fact(finding, value=None),)})
    parts = make_parts(
        Settings(database_url=f"sqlite:///{tmp_path}/records.db"), [minimal_service.known(faulty)]
    )
    traced = {
        rule["rule"]: rule["evidence"]
        for rule in as_json(ask(parts, json.dumps(body()).encode(), parts.now()))["rules"]
    }
    assert traced["faulty"] == [UNWRITTEN]
    assert traced["low-potassium"] != [UNWRITTEN]


def _failing(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, when: Any) -> None:
    """Makes a function raise where ``when`` is true of its arguments."""
    real = getattr(place, name)

    def function(*given: Any, **named: Any) -> Any:
        if when(*given):
            raise LookupError("broken")
        return real(*given, **named)

    monkeypatch.setattr(place, name, function)


OFFERING = _with(suggestions=(OrderTest("magnesium"), OrderTest("potassium")))


def test_a_fault_in_offering_costs_the_details_of_its_card(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, arranging, "_already_ordered", lambda order, *_: order.key == "potassium")
    sound = replace(_with(suggestions=(OrderTest("magnesium"),)), id="sound")
    client = service(OFFERING, sound)
    response = post(client, VIEW, body())
    assert topics(response) == ["low-potassium", "faulty", "sound"]
    assert NOT_WRITTEN in _card(response)["detail"]
    # What the card at fault would have offered first is offered by the other.
    assert [offer["label"] for offer in _card(response, "sound")["suggestions"]] == [
        "Order: Magnesium, serum"
    ]
    assert (_failures(client), _failures(client, "sound")) == (1, 0)


def test_a_silent_rule_at_fault_is_counted_once(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, arranging, "_already_ordered", lambda *_: True)
    client = service(OFFERING, replace(OFFERING, id="sound"), rules_silent=("faulty",))
    assert topics(post(client, VIEW, body())) == ["low-potassium", "sound"]
    assert (_failures(client), _failures(client, "sound")) == (1, 1)


@pytest.mark.parametrize("times", ["once", "always"])
def test_a_fault_in_writing_costs_the_details_or_one_card(
    service: Any, monkeypatch: pytest.MonkeyPatch, times: str
) -> None:
    _failing(
        monkeypatch,
        CardWriter,
        "write",
        lambda _self, shown, *_: (
            shown.rule.id == "faulty" and (times == "always" or shown.finding.evidence)
        ),
    )
    client = service(_with())
    response = post(client, VIEW, body())
    expected = ["low-potassium", "faulty"] if times == "once" else ["low-potassium"]
    assert topics(response) == expected
    assert _failures(client) == (1 if times == "once" else 2)
    lost = 'cds_cards_dropped_total{rule="faulty",topic="leg-cramps"} 1.0'
    assert (lost in client.get("/metrics").text) is (times == "always")


def test_a_card_whose_id_cannot_be_made_has_a_random_one(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, CardIds, "new", lambda _self, rule, *_: rule == "faulty")
    client = service(_with())
    response = post(client, VIEW, body())
    assert topics(response) == ["low-potassium", "faulty"]
    assert flaws(response.get_json()) == []
    assert NOT_WRITTEN not in _card(response)["detail"]
    assert _failures(client) == 1


def test_a_fault_in_the_look_up_of_answers_shows_every_card(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = service(snooze=True)
    answered = _card(post(client, VIEW, body()), "low-potassium")["uuid"]
    post(client, f"{VIEW}/feedback", feedback(answered))
    assert topics(post(client, VIEW, body())) == []
    _failing(monkeypatch, SnoozeStore, "held_back", lambda *_: True)
    assert topics(post(client, VIEW, body())) == ["low-potassium"]
    assert _left_out(client) == ["snooze"]


def test_a_card_at_fault_is_not_held_back_for_an_earlier_one(service: Any) -> None:
    client = service(_with(lambda finding: {"evidence": (_fact(finding, when=None),)}), snooze=True)
    answered = _card(post(client, VIEW, body()))["uuid"]
    post(client, f"{VIEW}/feedback", feedback(answered))
    assert topics(post(client, VIEW, body())) == ["low-potassium", "faulty"]


def _of_topic(monkeypatch: pytest.MonkeyPatch, priorities: Priorities) -> None:
    knowledge = replace(TOPIC.knowledge, priorities=priorities)
    monkeypatch.setattr(minimal_service, "TOPIC", replace(TOPIC, knowledge=knowledge))


WITHHELD: dict[str, Any] = {
    "it raises": lambda _: 1 / 0,
    "it returns nothing": lambda _: None,
    "it returns names without reasons": lambda _: ["faulty"],
    "it returns rules": lambda findings: {rule: "because" for rule, _ in findings},
    "it gives a reason that is no text": lambda _: {"faulty": object()},
    "it names a rule that did not fire": lambda _: {"no-such-rule": "because"},
}


@pytest.mark.parametrize("how", WITHHELD)
def test_a_fault_in_what_the_topic_withholds_withholds_nothing(
    service: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    _of_topic(monkeypatch, Priorities({}, WITHHELD[how]))
    client = service(_with())
    assert topics(post(client, VIEW, body())) == ["low-potassium", "faulty"]
    sound = how in ("it returns nothing", "it names a rule that did not fire")
    assert _left_out(client) == ([] if sound else ["withheld"])
    assert "no-such-rule" not in client.get("/metrics").text


@pytest.mark.parametrize("kinds", [{"faulty": "high"}, {"faulty": None}, None])
def test_a_fault_in_the_priorities_leaves_the_order_of_the_catalogue(
    service: Any, monkeypatch: pytest.MonkeyPatch, kinds: Any
) -> None:
    _of_topic(monkeypatch, Priorities(kinds, lambda _: {}))
    info = _with(indicator=Indicator.INFO)
    client = service(replace(info, id="first"), info)
    assert topics(post(client, VIEW, body())) == ["low-potassium", "first", "faulty"]
    assert _left_out(client) == ["priorities"]


def test_findings_about_one_draft_that_cannot_be_merged_are_both_shown(
    service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"about": ("MedicationRequest/request-123",)}
    _failing(monkeypatch, arranging, "_merged", lambda _finding, rule, _: rule.id == "faulty")
    client = service(replace(_with(**about), id="first"), _with(**about))
    assert topics(post(client, VIEW, body())) == ["low-potassium", "first", "faulty"]
    assert _failures(client) == 1


def test_what_a_reviewing_rule_answers_otherwise_is_checked_as_well(service: Any) -> None:
    unsound = Finding("alarming", "x", ())  # type: ignore[arg-type]
    client = service(
        replace(data_not_usable, review=lambda *_: 1 / 0, otherwise=unsound), snooze=True
    )
    assert topics(post(client, VIEW, body())) == ["low-potassium"]
    assert _failures(client, "data-not-usable") == 2


def test_without_a_report_of_faults_they_propagate(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests and tools: a fault is not overlooked."""
    _failing(monkeypatch, arranging, "_already_ordered", lambda *_: True)
    case = given().result("potassium", "3.1 mmol/L", days_ago=1)
    finding = Finding(Indicator.INFO, "x", ("y",), suggestions=(OrderTest("potassium"),))
    outcomes = [Outcome(low_potassium, finding)]
    made = Cards(CardWriter(references(), orderables()), lambda *_: "id")
    with pytest.raises(LookupError):
        made.write(PATIENT_VIEW, outcomes, case.facts(), Call("any-service", "1", NOW))


def test_an_offer_with_an_unknown_order_key_is_left_out_of_the_card(service: Any) -> None:
    client = service(_with(suggestions=(OrderTest("no-such-test"), OrderTest("potassium"))))
    response = post(client, VIEW, body())
    assert response.status_code == 200
    card = next(
        card for card in response.json["cards"] if card["source"]["topic"]["code"] == "faulty"
    )
    assert len(card["suggestions"]) == 1
    assert "otassium" in card["suggestions"][0]["label"]
