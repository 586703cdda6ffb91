"""Rules and settings on the command line, and the banner of `serve`."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.catalogue import topics
from cds_service.feedback.shown import CANNOT_TELL, SHOWN, WOULD_SHOW
from cds_service.serving import server
from cds_service.settings import Settings, read_settings, unknown_variables
from cds_service.storage.database import open_database
from cds_service.storage.tables import counts
from hooks import TOPIC
from hooks.order_select import RULES as ORDER_SELECT
from hooks.order_sign import RULES as ORDER_SIGN
from hooks.patient_view import RULES as PATIENT_VIEW
from tests.cli.conftest import Command, request

SCENARIO = request("quinine-active")


def test_every_rule_is_listed_with_its_service(cds: Command) -> None:
    result = cds("rules")
    assert (result.status, result.err) == (0, "")
    head, *rows = result.out.splitlines()
    assert head.split() == ["rule", "version", "tier", "state", "service", "title"]
    assert [row.split()[0] for row in rows] == [
        rule.id for service in TOPIC.services for rule in service.rules
    ]


def test_a_rule_that_is_switched_off_is_listed_as_off(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_RULES_OFF", "low-magnesium, first-line-measures")
    rules = json.loads(cds("rules", "--json").out)["rules"]
    assert {rule["id"] for rule in rules if rule["off"]} == {"low-magnesium", "first-line-measures"}
    row = next(row for row in cds("rules").out.splitlines() if row.startswith("low-magnesium "))
    assert row.split()[3] == "off"


def test_an_unknown_rule_cannot_be_switched_off(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_RULES_OFF", "low-magnesum")
    result = cds("rules")
    assert result.status == 1
    assert "no rule is called low-magnesum" in result.err


def values(cds: Command) -> dict[str, str]:
    settings = json.loads(cds("settings", "--json").out)["settings"]
    return {setting["variable"]: setting["value"] for setting in settings}


def test_settings_are_listed_with_their_values_and_no_secret(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_DATABASE_URL", "postgresql://cds:s3cret@db.example/cds")
    monkeypatch.setenv("CDS_CARD_KEY", "s3cret")
    monkeypatch.setenv("CDS_PUBLIC_URL", "https://cds.example/")
    monkeypatch.setenv("CDS_RULES_OFF", "low-ferritin, anemia")
    monkeypatch.setenv("CDS_SNOOZE", "1")
    monkeypatch.setenv("CDS_VALIDATE", "all")
    shown = values(cds)
    assert shown["CDS_DATABASE_URL"] == "postgresql://(credentials)@db.example/cds"
    assert shown["CDS_CARD_KEY"] == "(set)"
    assert shown["CDS_PUBLIC_URL"] == "https://cds.example"
    assert shown["CDS_RULES_OFF"] == "low-ferritin,anemia"
    assert (shown["CDS_SNOOZE"], shown["CDS_DEMO"]) == ("1", "0")
    assert shown["CDS_VALIDATE"] == "all"
    assert shown["CDS_LIMITS"] == ""
    result = cds("settings")
    assert "s3cret" not in result.out
    assert "CDS_PUBLIC_URL=https://cds.example\n    " in result.out
    assert "Default: unset." in result.out


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CDS_JURISDICTION", "fr"),
        ("CDS_PUBLIC_URL", "cds.example"),
        ("CDS_MAX_INFO_CARDS", "-1"),
        ("CDS_VALIDATE", "some"),
    ],
)
def test_a_wrong_setting_ends_every_command_with_its_name(
    cds: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    for command in (("settings",), ("rules",), ("evaluate", SCENARIO), ("report",)):
        result = cds(*command)
        assert (result.status, result.out) == (1, "")
        (line,) = result.err.splitlines()
        assert line.startswith(f"cds-service: {variable}: ")


def test_a_report_makes_no_database_and_names_the_one_it_looked_for(
    cds: Command, tmp_path: Path
) -> None:
    result = cds("report", "--json")
    assert (result.status, json.loads(result.out)["total"]) == (0, 0)
    assert "records.db does not exist yet" in result.err
    assert list(csv.DictReader(io.StringIO(cds("report", "--csv").out))) == []
    assert not list(tmp_path.iterdir())


def test_the_report_of_a_database_without_answers(cds: Command, tmp_path: Path) -> None:
    with open_database(f"sqlite:///{tmp_path}/records.db").write():
        pass
    shown = json.loads(cds("report", "--json").out)
    assert all(row["shown"] == 0 for row in shown["rules"])
    table = cds("report")
    assert (table.status, table.err) == (0, "")
    assert "records.db" in table.out
    assert "low-magnesium" not in table.out


def served(cds: Command, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[str, Any]:
    """What `serve` prints when nothing prevents it, and how it would have served."""
    calls: list[Any] = []

    def serve(host: str, port: int, workers: int | None, announce: Any) -> None:
        calls.append((host, port, workers))
        announce(read_settings())

    monkeypatch.setattr(server, "serve", serve)
    result = cds("serve", *words)
    assert (result.status, result.err) == (0, "")
    return result.out, calls[0]


def test_serve_says_where_it_listens_and_what_to_try(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, call = served(cds, monkeypatch, "--port", "8123", "--workers", "3")
    assert call == ("127.0.0.1", 8123, 3)
    assert "discovery  http://127.0.0.1:8123/cds-services\n" in output
    assert f"-d @{SCENARIO}" in output
    assert "demo page" not in output
    assert "the audience of tokens" not in output


def test_serve_with_the_demo_and_a_client_list(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_DEMO", "0")  # `serve --demo` sets it, so it is restored
    monkeypatch.setenv("CDS_TRUSTED_CLIENTS", "clients.json")
    monkeypatch.setenv("CDS_PUBLIC_URL", "https://cds.example")
    output, call = served(cds, monkeypatch, "--demo", "--host", "127.0.0.2")
    assert call == ("127.0.0.2", 8000, None)
    assert "demo page  http://127.0.0.2:8000/\n" in output
    assert "the audience of tokens is https://cds.example/cds-services/" in output


def test_the_example_file_is_shown_with_its_shorter_path(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(SCENARIO.parents[3])
    output, _ = served(cds, monkeypatch)
    assert "-d @fixtures/scenarios/quinine-active/request.json" in output


def test_an_installed_package_has_no_example_and_says_so(
    cds: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installed = {
        key: replace(topic, folder=tmp_path / "site-packages" / topic.package)
        for key, topic in topics.installed_topics().items()
    }
    monkeypatch.setattr(topics, "installed_topics", lambda *_: installed)
    output, _ = served(cds, monkeypatch)
    assert "sample requests are in the source checkout" in output
    assert "curl" not in output


def test_wrong_usage_has_its_own_exit_status(cds: Command) -> None:
    assert cds("serve", "--workers", "0").status == 2
    assert cds("no-such-command").status == 2
    assert cds("--version").out.startswith("cds-service ")


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


@pytest.mark.parametrize("port", ["0", "65536", "99999", "-1"])
def test_an_invalid_port_number_is_wrong_usage(cds: Command, port: str) -> None:
    result = cds("serve", "--port", port)
    assert result.status == 2
    assert "is not in the range" in result.err


def test_an_unknown_variable_is_named_with_the_closest_setting() -> None:
    unknown = unknown_variables(["CDS_MAX_INFO_CARD", "CDS_VALIDATE", "PATH", "CDS_ZZZZZZ"])
    assert unknown == [("CDS_MAX_INFO_CARD", "CDS_MAX_INFO_CARDS"), ("CDS_ZZZZZZ", "")]


def test_a_faulty_file_and_its_fault_are_named(cds: Command, tmp_path: Path) -> None:
    truncated, large = tmp_path / "cut.json", tmp_path / "large.json"
    truncated.write_text('{"resourceType": "Bundle", "entry": [', encoding="utf-8")
    large.write_text('{"resourceType": "Bundle", "total": 1e999}', encoding="utf-8")
    assert (
        "cut.json is not valid JSON: it ends too early, after byte"
        in cds("evaluate", truncated).err
    )
    assert "large.json has a number that is too large" in cds("explain", large).err


@pytest.fixture
def terminal_80(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard output as a terminal of 80 columns, without colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


def plain(text: str) -> list[str]:
    """The lines of what a terminal got, without its control sequences."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()


@pytest.mark.usefixtures("terminal_80")
def test_a_narrow_terminal_breaks_no_id(cds: Command) -> None:
    lines = plain(cds("rules").out)
    assert max(map(len, lines)) <= 80
    for service, listed in (("patient-view", PATIENT_VIEW), ("order-sign", ORDER_SIGN)):
        assert any(f"leg-cramps-{service}: {len(listed)} rules" in line for line in lines)
    words = {line.split()[0] for line in lines if line.strip()}
    assert {rule.id for rule in (*PATIENT_VIEW, *ORDER_SELECT, *ORDER_SIGN)} <= words


@pytest.mark.usefixtures("terminal_80")
def test_a_report_fits_a_narrow_terminal_and_lists_silent_rules_separately(
    cds: Command, tmp_path: Path
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/records.db")
    with database.write() as connection:
        for event, rule, number in (
            (SHOWN, "low-magnesium", 7),
            (WOULD_SHOW, "magnesium-ordered-renal-impairment", 3),
            (CANNOT_TELL, "low-ferritin", 5),
        ):
            connection.execute(
                counts.insert().values(
                    event=event, site="default", service="s", rule=rule, version="9.9.9",
                    day="2026-11-20", number=number,
                )
            )  # fmt: skip
    database.close()
    *lines, last = plain(cds("report").out)
    assert last.startswith("Database: ")
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    shown, silent = text.split("Silent rules")
    assert re.search(r"Documented low magnesium \(9.9.9\) +7 ", shown)
    assert re.search(r"Magnesium ordered in renal impairment \(9.9.9\) +3 ", silent)
    assert re.search(r"Low ferritin \(9.9.9\) +5", text)
    assert "Answers" not in text


@pytest.mark.parametrize("port", ["http", "80.5", ""])
def test_a_port_that_is_not_a_number_is_reported_in_words(cds: Command, port: str) -> None:
    result = cds("serve", "--port", port)
    assert result.status == 2
    assert "is not a valid whole number" in result.err


@pytest.mark.parametrize(
    "text", ['{"resourceType": "Patient", "id": "1"}', "[]", '{"hook": "patient-view"}']
)
def test_every_error_in_a_file_names_the_file(cds: Command, tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    for command in ("evaluate", "explain"):
        result = cds(command, path)
        assert result.status == 1
        assert result.err.startswith(f"cds-service: {path}: ")


def test_when_discovery_needs_a_token_the_banner_shows_a_call_that_does_not(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_TRUSTED_CLIENTS", "clients.json")
    monkeypatch.setenv("CDS_DISCOVERY_AUTH", "1")
    output, _ = served(cds, monkeypatch)
    assert "  curl -s http://127.0.0.1:8000/healthz\n" in output
