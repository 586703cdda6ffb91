"""Two topics in one process: the settings, sources and cards of one are none of the other's."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cds_service.answer.checking import flaws
from cds_service.api.asking import ask
from cds_service.api.parts import Parts
from cds_service.app import build, make_parts
from cds_service.catalogue.topics import topic_of
from cds_service.commands.undeclared import undeclared_by
from cds_service.core.patient import Facts
from cds_service.engine.rule import Answer
from cds_service.engine.run import FAILED
from cds_service.engine.topic import Topic
from cds_service.errors import StartupError
from cds_service.feedback.report import report
from cds_service.settings import Settings
from hooks import TOPIC
from tests.testing import fhir

HERE = Path(__file__).parent / "hyponatraemia"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = "2026-11-20T08:00:00Z"
RECORD = json.dumps(
    fhir.collection(
        fhir.patient("p"),
        fhir.lab("2951-2", 119, "mmol/L", DAY, of="p", id="na"),
        fhir.lab("2823-3", 2.3, "mmol/L", DAY, of="p", id="k"),
    )
).encode()
SODIUM, CRAMPS = "hyponatraemia-patient-view", "leg-cramps-patient-view"
Make = Callable[..., Parts]
HEALTHY = fhir.lab("2951-2", 140, "mmol/L", DAY, of="p", id="na")
UNKNOWN_UNIT = fhir.lab("2951-2", 119, "furlong", DAY, of="p", id="na")


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> Topic:
    monkeypatch.syspath_prepend(str(HERE))
    topic: Topic = importlib.import_module("hyponatraemia").TOPIC
    return topic


@pytest.fixture
def made(tmp_path: Path, second: Topic) -> Make:
    """Makes the parts of a service of both topics; ``sites`` is the text of the sites file."""

    def make(sites: str = "", topic: Topic = second, **settings: Any) -> Parts:
        if sites:
            file = tmp_path / "sites.toml"
            file.write_text(sites, encoding="utf-8")
            settings["sites"] = str(file)
        database = f"sqlite:///{tmp_path}/records.db"
        return make_parts(Settings(database_url=database, **settings), (TOPIC, topic))

    return make


def cards(parts: Parts, service: str, site: str | None = None) -> list[dict[str, Any]]:
    if site is not None:
        parts = replace(parts, answering=parts.sites[site])
    return [dict(card.body) for card in ask(parts, RECORD, NOW, service_id=service).cards]


def rules(shown: list[dict[str, Any]]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in shown]


# --- whose rule it is ------------------------------------------------------------------------


def test_metrics_and_the_feedback_report_say_whose_rule_it_is(made: Make) -> None:
    parts = made()
    parts.records.start()
    client = build(parts).test_client()
    for service in (SODIUM, CRAMPS):
        content = json.loads(RECORD)
        call = {
            "hook": "patient-view",
            "hookInstance": "9b2f8f0e-7d0f-4a53-8b3e-2f9f5d1c0001",
            "context": {"userId": "Practitioner/1", "patientId": "p"},
            "prefetch": {"patient": content["entry"][0]["resource"], "results": content},
        }
        assert client.post(f"/cds-services/{service}", json=call).status_code == 200
    figures = client.get("/metrics").text
    for indicator, rule, topic in (
        ("warning", "severe-hyponatraemia", "hyponatraemia"),
        ("critical", "low-potassium", "leg-cramps"),
    ):
        labels = f'rule="{rule}",topic="{topic}"'
        assert f'cds_cards_shown_total{{indicator="{indicator}",{labels}}} 1.0' in figures
        assert f'cds_rule_outcomes_total{{answer="fired",{labels}}} 1.0' in figures
    parts.records.shown_cards.flush()
    counted = report(parts.records.database, topic_of=topic_of(parts.topics))
    found = {line["rule"]: line["topic"] for line in counted.as_json()["rules"]}
    assert found["severe-hyponatraemia"] == "hyponatraemia"
    assert found["low-potassium"] == "leg-cramps"
    assert counted.as_csv().splitlines()[0].endswith(",topic")
    of_a_rule_that_is_gone = report(parts.records.database, topic_of={}).rules[0]
    assert of_a_rule_that_is_gone.topic == ""
    parts.records.close()


# --- sites that have only some of the topics -------------------------------------------------


@pytest.mark.parametrize("kept", ["leg-cramps", "hyponatraemia"])
def test_a_default_site_with_one_topic_leaves_the_rules_of_the_other_their_limits(
    made: Make, kept: str
) -> None:
    parts = made(f'[site.default]\ntopics = ["{kept}"]\n')
    # The demo page asks the services of every topic, whichever the site has.
    assert rules(cards(parts, SODIUM)) == ["severe-hyponatraemia"]
    assert "low-potassium" in rules(cards(parts, CRAMPS))
    assert cards(parts, SODIUM)[0]["suggestions"]
    assert {service.partition("-patient")[0] for service in parts.sites["default"].services} >= {
        kept
    }
    assert (SODIUM in parts.sites["default"].services) is (kept == "hyponatraemia")


LIMITS = {
    "serum_sodium.severe": {"value": "118", "unit": "mmol/L"},
    "potassium.low": {"value": "2.2", "unit": "mmol/L"},
}


def test_the_limits_of_the_environment_are_for_all_topics_also_where_a_site_has_only_one(
    made: Make, tmp_path: Path
) -> None:
    file = tmp_path / "limits.json"
    file.write_text(json.dumps({"serum_sodium.severe": LIMITS["serum_sodium.severe"]}))
    north = '[site.north]\ntopics = ["leg-cramps"]\n[site.south]\ntopics = ["hyponatraemia"]\n'
    parts = made(north, limits=str(file))
    assert cards(parts, SODIUM) == cards(parts, SODIUM, "south") == []
    assert "low-potassium" in rules(cards(parts, CRAMPS, "north"))
    assert "serum_sodium.severe" not in parts.sites["north"].site.limits
    assert list(parts.sites["south"].site.limits) == ["serum_sodium.severe"]


def test_a_limit_of_a_topic_that_the_site_does_not_have_is_refused_in_its_own_table(
    made: Make,
) -> None:
    limit = 'limits = { "serum_sodium.severe" = { value = "118", unit = "mmol/L" } }\n'
    with pytest.raises(StartupError, match=r"serum_sodium\.severe is not a limit"):
        made(f'[site.north]\ntopics = ["leg-cramps"]\n{limit}')
    assert cards(made(f"[site.north]\n{limit}"), SODIUM, "north") == []


def test_the_order_codes_of_the_environment_are_for_all_topics_too(
    made: Make, tmp_path: Path
) -> None:
    file = tmp_path / "codes.json"
    file.write_text(json.dumps({"serum_sodium": [{"system": "urn:lab", "code": "NA"}]}))
    parts = made('[site.north]\ntopics = ["leg-cramps"]\n', order_codes=str(file))
    (card,) = cards(parts, SODIUM)
    coding = card["suggestions"][0]["actions"][0]["resource"]["code"]["coding"]
    assert coding[0] == {"system": "urn:lab", "code": "NA"}
    assert "low-potassium" in rules(cards(parts, CRAMPS, "north"))
    file.write_text(json.dumps({"serum_sodum": [{"system": "urn:lab", "code": "NA"}]}))
    with pytest.raises(StartupError, match="no order is called serum_sodum"):
        made('[site.north]\ntopics = ["leg-cramps"]\n', order_codes=str(file))


# --- the source of a card --------------------------------------------------------------------


def test_a_card_never_names_the_source_of_another_topic(made: Make, second: Topic) -> None:
    (card,) = cards(made(), SODIUM)
    assert "url" not in card["source"]  # a judgement has no page
    assert "links" not in card
    assert flaws({"cards": [card]}) == []

    (card,) = cards(made(public_url="https://cds.hospital.org"), SODIUM)
    assert card["source"]["url"] == "https://cds.hospital.org/rules/severe-hyponatraemia"

    known = second.knowledge
    paper = replace(
        next(iter(known.references.values())), key="paper", kind="review", url="https://paper.org"
    )
    sourced = replace(
        second, knowledge=replace(known, references={**known.references, "paper": paper})
    )
    (card,) = cards(made(topic=sourced), SODIUM)
    assert card["source"]["url"] == "https://paper.org"  # the next source of its own topic


def test_every_card_of_leg_cramps_has_the_url_of_a_source(made: Make) -> None:
    assert all(card["source"]["url"] for card in cards(made(), CRAMPS))
    assert any(reference.url for reference in TOPIC.knowledge.references.values())


# --- a topic with one rule -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "settings", "says"),
    [
        (140, {}, "No cards. 1 rule was checked."),
        (119, {"rules_silent": ("*",)}, "No cards: in silent mode, 1 rule would show one."),
        (None, {}, "No cards, but 1 rule could not be checked."),
    ],
)
def test_one_rule_is_not_spoken_of_as_many(
    made: Make, second: Topic, value: float | None, settings: dict[str, Any], says: str
) -> None:
    (service,) = second.services
    alone = replace(second, services=(replace(service, rules=service.rules[:1]),))
    results = [] if value is None else [fhir.lab("2951-2", value, "mmol/L", DAY, of="p")]
    record = json.dumps(fhir.collection(fhir.patient("p"), *results)).encode()
    parts = made(topic=alone, **settings)
    assert ask(parts, record, NOW, service_id=SODIUM).silence == says


def test_a_rule_whose_card_is_withheld_is_not_spoken_of_as_many(
    made: Make,
) -> None:
    answered = ask(made(), RECORD, NOW, service_id=SODIUM)
    for dropped, says in (
        ({"a": "why"}, "1 rule fired and is not shown."),
        ({"a": "why", "b": "why"}, "2 rules fired and are not shown."),
    ):
        without = msgspec.structs.replace(answered, cards=(), dropped=dropped)
        assert without.silence == f"No cards, but {says}"


# --- what could not be checked ---------------------------------------------------------------


def call(prefetch: dict[str, Any]) -> bytes:
    return json.dumps(fhir.call("patient-view", prefetch, of="p")).encode()


@pytest.mark.parametrize(
    ("prefetch", "shown"),
    [
        ({"results": fhir.searchset(HEALTHY)}, []),
        ({"results": fhir.searchset()}, []),
        ({"patient": fhir.patient("p")}, []),  # no results were sent
        ({"results": fhir.searchset(UNKNOWN_UNIT)}, ["hyponatraemia-not-checked"]),
        ({"results": fhir.outcome()}, ["hyponatraemia-not-checked"]),
    ],
    ids=["normal", "no results", "not sent", "unknown unit", "not available"],
)
def test_what_arrived_and_could_not_be_used_has_a_card(
    made: Make, prefetch: dict[str, Any], shown: list[str]
) -> None:
    answered = ask(made(), call({"patient": fhir.patient("p")} | prefetch), NOW, service_id=SODIUM)
    bodies = [dict(card.body) for card in answered.cards]
    assert rules(bodies) == shown
    assert {card["summary"] for card in bodies} <= {"Not checked: Severe hyponatraemia"}
    assert flaws({"cards": bodies}) == []
    assert list(undeclared_by(made().topics[1], answered)) == []


def test_the_card_names_the_result_and_why(made: Make) -> None:
    results = call({"results": fhir.searchset(UNKNOWN_UNIT)})
    (card,) = ask(made(), results, NOW, service_id=SODIUM).cards
    assert card.body["indicator"] == "info"
    assert "furlong" in card.body["detail"] and "Observation/na" in card.body["detail"]


def test_a_rule_that_fails_is_named_and_leg_cramps_keep_their_own_card(
    made: Make, second: Topic, tmp_path: Path
) -> None:
    def fails(_facts: Facts) -> Answer:
        raise ZeroDivisionError

    (service,) = second.services
    broken = replace(service.rules[0], check=fails)
    topic = replace(second, services=(replace(service, rules=(broken, *service.rules[1:])),))
    parts = made(topic=topic)
    (card,) = cards(parts, SODIUM)
    assert card["summary"] == "Not checked: Severe hyponatraemia"
    assert FAILED in card["detail"]

    potassium = fhir.lab("2823-3", 2.3, "furlong", DAY, of="p", id="k")
    record = call({"results": fhir.searchset(potassium)})
    (of_cramps,) = ask(parts, record, NOW, service_id=CRAMPS).cards
    alone = make_parts(Settings(database_url=f"sqlite:///{tmp_path}/alone.db"), (TOPIC,))
    (before,) = ask(alone, record, NOW, service_id=CRAMPS).cards
    assert of_cramps.body["source"]["topic"]["code"] == "data-not-usable"
    assert of_cramps.body["summary"].startswith("Potassium of 20 Nov could not be used")
    for part in ("summary", "detail", "indicator"):
        assert of_cramps.body[part] == before.body[part]
