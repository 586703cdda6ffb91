"""Cards and traces on the command line: for requests, for Bundles, and for other input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cds_service.answer import checking
from cds_service.commands import terminal
from tests.cli.conftest import Command, patient, request
from tests.testing import fhir

DAY = ("--as-of", "2026-11-23")


def test_the_cards_for_a_request_are_printed_as_text(cds: Command) -> None:
    result = cds("evaluate", request("quinine-active"), *DAY)

    assert (result.status, result.err) == (0, "")
    first, *_ = result.out.splitlines()
    assert first.startswith("[critical] Active quinine: avoid for leg cramps (")
    assert "  → Order: Complete blood count with platelets\n" in result.out
    assert "**" not in result.out
    assert all(len(line) <= 110 for line in result.out.splitlines()[1:])


def test_a_bundle_is_evaluated_as_patient_view(cds: Command) -> None:
    result = cds("evaluate", patient("low-magnesium"), "--json", "--check", *DAY)

    assert (result.status, result.err) == (0, "")
    (card,) = json.loads(result.out)["cards"]
    assert card["source"]["topic"]["code"] == "low-magnesium"


def test_a_bundle_is_evaluated_for_the_named_hook(cds: Command) -> None:
    def topics(*hook: str) -> set[str]:
        result = cds("evaluate", patient("baclofen-being-ordered"), "--json", *DAY, *hook)
        return {card["source"]["topic"]["code"] for card in json.loads(result.out)["cards"]}

    ordered = topics("--hook", "order-select")
    assert any(topic.startswith("baclofen-ordered") for topic in ordered)
    assert not any(topic.startswith("baclofen-ordered") for topic in topics())


def test_an_empty_list_of_cards_is_explained(cds: Command) -> None:
    result = cds("evaluate", patient("nothing-to-say"), *DAY)
    assert result.status == 0
    assert re.fullmatch(
        r"No cards, but 1 rule could not be checked\. `.*explain` says why\.\n", result.out
    )
    assert json.loads(cds("evaluate", patient("nothing-to-say"), "--json", *DAY).out) == {
        "cards": []
    }


def test_without_a_time_the_call_is_made_now(cds: Command) -> None:
    result = cds("evaluate", patient("quinine-active"), "--json")
    assert "quinine-active" in result.out


def test_a_card_that_breaks_the_specification_fails_the_check(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "flaws", lambda _response: ["cards[0].detail: HTML in Markdown"])
    result = cds("evaluate", patient("quinine-active"), "--check", *DAY)
    assert (result.status, result.out) == (1, "")
    assert result.err == "cds-service: cards[0].detail: HTML in Markdown\n"


def test_explain_names_every_rule_its_outcome_and_the_reason(cds: Command) -> None:
    result = cds("explain", patient("partial-data-unknown-unit"), *DAY)

    assert (result.status, result.err) == (0, "")
    lines = result.out.splitlines()
    assert "  patient: given" in lines
    for word in ("fired", "did not fire", "cannot tell"):
        assert word in lines
    assert any("Observation/" in line for line in lines[lines.index("problems") :])


def test_explain_says_why_the_card_of_a_fired_rule_is_not_shown(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_MAX_INFO_CARDS", "0")
    result = cds("explain", patient("cramps-not-worked-up"), *DAY)
    assert "\n      not shown: " in result.out


def test_explain_gives_the_reason_for_data_that_were_not_obtained(cds: Command) -> None:
    result = cds("explain", request("partial-results-unavailable"), *DAY)
    (line,) = [line for line in result.out.splitlines() if line.startswith("  results: ")]
    assert line.endswith(")")
    assert "unavailable (" in line


def test_explain_as_json_is_the_whole_trace(cds: Command) -> None:
    result = cds("explain", patient("low-magnesium"), "--json", *DAY)
    trace = json.loads(result.out)
    answers = {rule["rule"]: rule["answer"] for rule in trace["rules"]}
    assert answers["low-magnesium"] == "fired"
    assert {delivery["kind"] for delivery in trace["data"]} >= {"patient", "results", "conditions"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "JSON", id="not JSON"),
        pytest.param("[]", "This is not a JSON object.", id="a list"),
        pytest.param("{}", "neither a FHIR Bundle nor a request", id="no hook"),
        pytest.param('{"hook": "appointment-book"}', "neither a FHIR Bundle", id="another hook"),
        pytest.param('{"resourceType": "Bundle"}', "has 0 patients", id="no entries"),
        pytest.param(
            '{"resourceType": "Patient", "id": "a"}',
            "This is a single Patient, not a Bundle.",
            id="a bare resource",
        ),
        pytest.param(json.dumps(fhir.collection()), "has 0 patients", id="no patient"),
        pytest.param(
            json.dumps(fhir.collection(fhir.patient("a"), fhir.patient("b"))),
            "has 2 patients",
            id="two patients",
        ),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "explain"])
def test_input_that_is_not_a_request_ends_with_one_line(
    cds: Command, tmp_path: Path, command: str, content: str, message: str
) -> None:
    file = tmp_path / "request.json"
    file.write_text(content, encoding="utf-8")

    result = cds(command, file)

    assert (result.status, result.out) == (1, "")
    (line,) = result.err.splitlines()
    assert line.startswith("cds-service: ")
    assert message in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("nowhere.json",), "nowhere.json cannot be read: No such file", id="no file"),
        pytest.param(
            (patient("low-magnesium"), "--as-of", "yesterday"),
            "--as-of: yesterday is not a date or instant. Write 2026-11-23",
            id="no such time",
        ),
    ],
)
def test_wrong_arguments_end_with_one_line(
    cds: Command, words: tuple[object, ...], message: str
) -> None:
    result = cds("evaluate", *words)
    assert result.status == 1
    (line,) = result.err.splitlines()
    assert message in line


def test_the_time_can_be_an_instant(cds: Command) -> None:
    for as_of in ("2026-11-23T12:00:00Z", "2026-11-23T12:00:00"):
        assert cds("evaluate", patient("low-magnesium"), "--as-of", as_of).status == 0


def test_a_closed_pipe_is_not_an_error(cds: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object) -> str:
        raise BrokenPipeError

    monkeypatch.setattr(terminal, "print_table", closed)
    assert (cds("rules").status, cds("rules").err) == (0, "")


def test_the_drafts_of_a_bundle_are_evaluated_for_order_sign(cds: Command) -> None:
    result = cds(
        "evaluate", patient("potassium-being-ordered"), "--json", *DAY, "--hook", "order-sign"
    )
    cards = json.loads(result.out)["cards"]
    assert cards
    for card in cards:
        assert card["extension"]["davinci-crd.associated-resource"]
