"""One process, two hospitals with the same patient ids: neither sees anything of the other's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import select

from cds_service.app import build, make_parts
from cds_service.catalogue import sites
from cds_service.catalogue.topics import services_of
from cds_service.cli import main
from cds_service.core.identity import DEFAULT_SITE
from cds_service.errors import StartupError
from cds_service.feedback.report import RuleReport, report
from cds_service.settings import Settings
from cds_service.storage.lifecycle import erase, export
from cds_service.storage.tables import audit, audit_cards
from hooks import TOPIC
from tests.conformance.signing_client import Client
from tests.testing import fhir
from tests.testing.databases import empty_sqlite
from tests.testing.fhir import Json

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "sites"
VIEW = "/cds-services/leg-cramps-patient-view"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SERVER = "https://fhir.example/r4"
TWO = """
[site.north]
limits = { "magnesium.low" = { value = "0.80", unit = "mmol/L" } }

[site.south]
limits = { "magnesium.low" = { value = "0.60", unit = "mmol/L" } }
"""


def magnesium(value: float, **context: Any) -> Json:
    """A chart whose magnesium is ``value`` mmol/L, the same ids at every hospital."""
    keys = ("conditions", "medicationRequests", "medicationStatements", "allergies", "orders")
    result = fhir.lab("2601-3", value, "mmol/L", "2026-11-20", id="mg")
    prefetch = {"patient": fhir.patient(born="1980-01-01"), "results": fhir.searchset(result)}
    filled = prefetch | dict.fromkeys(keys)
    return fhir.call("patient-view", filled, fhirServer=SERVER, context=context)


Make = Callable[..., FlaskClient]


@pytest.fixture
def ehr(tmp_path: Path) -> Client:
    return Client(
        tmp_path,
        tenant_sites={"tn": "north", "ts": "south"},
        fhir_servers=[SERVER],
    )


@pytest.fixture
def hospitals(tmp_path: Path, ehr: Client) -> Iterator[Make]:
    opened: list[Any] = []

    def make(text: str = TWO, **settings: Any) -> FlaskClient:
        file = tmp_path / "sites.toml"
        file.write_text(text)
        values: Json = {
            "database_url": empty_sqlite(tmp_path / "records.db"),
            "sites": str(file),
            "log_level": "error",
            **ehr.settings,
            **settings,
        }
        parts = replace(make_parts(Settings(**values)), now=lambda: NOW)
        app = build(parts)
        parts.records.start()
        opened.append(parts.records)
        return app.test_client()

    yield make
    for records in opened:
        records.close()


def call(client: FlaskClient, ehr: Client, tenant: str, request: Json) -> list[Json]:
    response = client.post(VIEW, json=request, headers=ehr.signed(VIEW, tenant=tenant))
    assert response.status_code == 200, response.text
    cards: list[Json] = response.get_json()["cards"]
    return cards


def codes(cards: list[Json]) -> list[str]:
    return [card["source"]["topic"]["code"] for card in cards]


def give_feedback(client: FlaskClient, ehr: Client, tenant: str, card: str) -> None:
    path = f"{VIEW}/feedback"
    element = {
        "card": card,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-23T12:00:00Z",
        "overrideReason": {"reason": {"code": "action-completed", "system": "x"}},
    }
    response = client.post(
        path, json={"feedback": [element]}, headers=ehr.signed(path, tenant=tenant)
    )
    assert response.status_code == 200


def counted(client: FlaskClient, site: str | None, rule: str) -> RuleReport:
    parts = client.application.extensions["cds_parts"]
    parts.records.shown_cards.flush()
    parts.records.denominators.flush()
    counts = report(parts.records.database, (), site, services_of(parts.topics))
    return next((row for row in counts.rules if row.id == rule), RuleReport(rule, ""))


def test_each_hospital_has_its_own_limits(hospitals: Make, ehr: Client) -> None:
    client = hospitals()
    assert codes(call(client, ehr, "tn", magnesium(0.75))) == ["low-magnesium"]
    assert codes(call(client, ehr, "ts", magnesium(0.75))) == []
    (card,) = call(client, ehr, "ts", magnesium(0.55))
    assert "0.60 mmol/L, set by this site" in card["detail"]
    assert "0.80" not in card["detail"]


def test_snooze_feedback_and_counts_are_separate_for_each_hospital(
    hospitals: Make, ehr: Client
) -> None:
    client = hospitals(snooze=True)
    (north,) = call(client, ehr, "tn", magnesium(0.55))
    (south,) = call(client, ehr, "ts", magnesium(0.55))
    give_feedback(client, ehr, "tn", north["uuid"])
    assert codes(call(client, ehr, "tn", magnesium(0.55))) == []
    assert codes(call(client, ehr, "ts", magnesium(0.55))) == ["low-magnesium"]
    give_feedback(client, ehr, "tn", south["uuid"])  # not its card: counted for no rule
    assert codes(call(client, ehr, "ts", magnesium(0.55))) == ["low-magnesium"]
    of_north, of_south = (counted(client, site, "low-magnesium") for site in ("north", "south"))
    assert (of_north.shown, of_north.overridden, of_north.calls) == (1, 1, 2)
    assert (of_south.shown, of_south.overridden, of_south.calls) == (3, 0, 3)
    assert (of_north.patients, of_south.patients) == (1, 1)
    assert counted(client, None, "low-magnesium").patients == 2


def test_metrics_name_the_site_only_where_there_are_sites(
    hospitals: Make, ehr: Client, tmp_path: Path
) -> None:
    client = hospitals()
    call(client, ehr, "ts", magnesium(0.55))
    text = client.get("/metrics").text
    labels = 'indicator="warning",rule="low-magnesium",site="south",topic="leg-cramps"'
    assert f"cds_cards_shown_total{{{labels}}} 1.0" in text
    assert 'site="north"' not in text
    alone = build(make_parts(Settings(database_url=f"sqlite:///{tmp_path}/alone.db")))
    alone.test_client().post(VIEW, json=magnesium(0.55))
    assert "site=" not in alone.test_client().get("/metrics").text


def test_settings_differ_by_site_and_fall_back_to_the_environment(
    hospitals: Make, ehr: Client
) -> None:
    client = hospitals(
        '[site.north]\noff = ["low-magnesium"]\n[site.south]\ncard_detail = "full"\n',
        limits=None,
    )
    assert codes(call(client, ehr, "tn", magnesium(0.55))) == []
    (card,) = call(client, ehr, "ts", magnesium(0.55))
    assert "Observation/mg" in card["detail"]


@pytest.mark.parametrize("silent", ['["low-magnesium"]', '["*"]'])
def test_a_silent_rule_is_counted_and_not_returned(
    hospitals: Make, ehr: Client, silent: str
) -> None:
    client = hospitals(f"[site.north]\nsilent = {silent}\n[site.south]\n")
    assert call(client, ehr, "tn", magnesium(0.55, encounterId="e1")) == []
    assert codes(call(client, ehr, "ts", magnesium(0.55))) == ["low-magnesium"]
    north = counted(client, "north", "low-magnesium")
    assert (north.shown, north.would_show, north.calls) == (0, 1, 1)
    assert (north.patients, north.encounters, north.clinician_days) == (1, 1, 1)
    assert north.rates == {
        "per_100_calls": 100.0,
        "per_patient": 1.0,
        "per_clinician_day": 1.0,
        "per_100_orders": None,
    }
    assert counted(client, "south", "low-magnesium").would_show == 0


def test_a_rule_is_silent_before_its_day(hospitals: Make, ehr: Client) -> None:
    client = hospitals(
        '[site.north.start]\n"low-magnesium" = 2026-11-24\n'
        '[site.south.start]\n"low-magnesium" = 2026-11-23\n'
    )
    assert codes(call(client, ehr, "tn", magnesium(0.55))) == []
    assert codes(call(client, ehr, "ts", magnesium(0.55))) == ["low-magnesium"]


def test_a_silent_rule_does_not_count_towards_the_cap(hospitals: Make, ehr: Client) -> None:
    client = hospitals(
        '[site.north]\ncramps = "assumed"\nmax_info_cards = 1\n'
        'silent = ["electrolytes-not-checked"]\n'
        '[site.south]\ncramps = "assumed"\nmax_info_cards = 1\n'
    )
    cards_south = codes(call(client, ehr, "ts", magnesium(0.85)))
    cards_north = codes(call(client, ehr, "tn", magnesium(0.85)))
    assert cards_south == ["electrolytes-not-checked"]
    assert len(cards_north) == 1
    assert cards_north != cards_south
    assert counted(client, "north", "electrolytes-not-checked").would_show == 1


def test_a_tenant_without_a_site_may_not_call(hospitals: Make, ehr: Client) -> None:
    client = hospitals()
    for claims in ({"tenant": "elsewhere"}, {}):
        response = client.post(VIEW, json=magnesium(0.5), headers=ehr.signed(VIEW, **claims))
        assert response.status_code == 401


def test_a_site_without_the_topic_has_no_such_service(hospitals: Make, ehr: Client) -> None:
    client = hospitals("[site.north]\ntopics = []\n[site.south]\n")
    response = client.post(VIEW, json=magnesium(0.5), headers=ehr.signed(VIEW, tenant="tn"))
    assert response.status_code == 404
    assert call(client, ehr, "ts", magnesium(0.5))


def test_the_environment_settings_apply_without_a_client_list(tmp_path: Path) -> None:
    client = build(
        make_parts(Settings(database_url=f"sqlite:///{tmp_path}/r.db", rules_silent=("*",)))
    ).test_client()
    assert client.post(VIEW, json=magnesium(0.5)).get_json() == {"cards": []}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("site.north = 3", "site.north"),
        ("[sites.north]", "sites"),
        ("[site.north]\ncramp = 'assumed'", "cramp: not a key of a site"),
        ("[site.north]\ncramps = 'always'", "site.north.cramps"),
        ("[site.north]\nmax_info_cards = -1", "site.north.max_info_cards"),
        ("[site.north]\nmax_info_cards = '3'", "site.north.max_info_cards"),
        ("[site.'north wing']", "site"),
        ("[site.north]\noff = ['low-magnesum']", "site north: off: no rule is called low-magnesum"),
        ("[site.north]\nsilent = ['nothing']", "site north: silent: no rule is called nothing"),
        ("[site.north.start]\nnothing = 2026-01-01", "start: no rule is called nothing"),
        ("[site.north.start]\n'low-magnesium' = 'soon'", "start.low-magnesium"),
        ("[site.north]\ntopics = ['gout']", "no topic is called gout"),
        ("[site.north]\nlimits = { 'magnesium.lowest' = { value = '1', unit = 'mmol/L' } }",
         "magnesium.lowest is not a limit"),
        ("[site.north]\nlimits = { 'magnesium.low' = { value = '75', unit = 'mmol/L' } }",
         "not plausible"),
        ("[site.north]\nlimits = 'none.toml'", "none.toml: cannot be read"),
        ("[site.north]\norder_codes = 'none.json'", "none.json cannot be read"),
        ("[site.north", "not TOML"),
        ("[site.other]", "no site is called north"),
        ("[site.demo]", "site.demo: this name is reserved"),
    ],
)  # fmt: skip
def test_a_wrong_file_refuses_the_start_and_says_which(
    hospitals: Make, text: str, message: str
) -> None:
    with pytest.raises(StartupError) as refused:
        hospitals(text)
    assert message in str(refused.value)
    assert "CDS_SITES" in str(refused.value) or "site" in str(refused.value)


def test_a_missing_file_refuses_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        make_parts(Settings(sites=str(tmp_path / "none.toml")))


def test_a_tenant_that_has_no_site_refuses_the_start(tmp_path: Path) -> None:
    ehr = Client(tmp_path, tenants=["tn", "tx"], tenant_sites={"tn": "default"})
    with pytest.raises(StartupError, match="tenant 'tx' has no site"):
        make_parts(Settings(**ehr.settings))


def test_the_sample_files_serve_two_sites_with_different_limits(tmp_path: Path) -> None:
    clients = json.loads((DEPLOY / "clients.json").read_text())
    ehr = Client(tmp_path)
    (own,) = json.loads(ehr.listed.read_text())
    for entry in clients:  # the keys of the samples cannot be fetched
        del entry["jku"]
        entry["jwks"] = own["jwks"]
    clients[1]["iss"], clients[0]["iss"] = own["iss"], "https://ehr.north.example"
    ehr.listed.write_text(json.dumps(clients))
    parts = make_parts(
        Settings(
            database_url=f"sqlite:///{tmp_path}/r.db",
            sites=str(DEPLOY / "sites.toml"),
            **ehr.settings,
        )
    )
    client = build(replace(parts, now=lambda: NOW)).test_client()
    request = magnesium(0.7)
    del request["fhirServer"]
    assert codes(call(client, ehr, "tenant-north", request)) == ["low-magnesium"]
    assert "low-magnesium" not in codes(call(client, ehr, "tenant-south", request))
    low = magnesium(0.6)
    del low["fhirServer"]
    cards = call(client, ehr, "tenant-south", low)
    assert codes(cards)[0] == "lowmagnesium"
    orders = [
        action["resource"]["code"]["coding"][0]["code"]
        for suggestion in cards[0]["suggestions"]
        for action in suggestion["actions"]
        if action["resource"]["code"]["text"] == "Magnesium, serum"
    ]
    assert orders == ["1000001"]


def test_the_audit_trail_distinguishes_hospitals(hospitals: Make, ehr: Client) -> None:
    client = hospitals(audit="digest")
    cards_by_tenant = {
        tenant: call(client, ehr, tenant, magnesium(0.55)) for tenant in ("tn", "ts")
    }
    parts = client.application.extensions["cds_parts"]
    parts.records.upkeep.run_once()
    with parts.records.database.read() as connection:
        rows = {row.site: row for row in connection.execute(select(audit))}
        cards = {row.card: row.record for row in connection.execute(select(audit_cards))}
    assert rows.keys() == {"north", "south"}
    north, south = rows["north"], rows["south"]
    # The same patient id, user and evidence, and yet no value is the same, by which one row could
    # be found from the other.
    for column in ("caller", "clinician", "patient"):
        assert getattr(north, column) != getattr(south, column)
    assert json.loads(north.content)["limits"] != json.loads(south.content)["limits"]
    assert cards[cards_by_tenant["tn"][0]["uuid"]] == north.record
    assert cards[cards_by_tenant["ts"][0]["uuid"]] == south.record
    assert cards_by_tenant["tn"][0]["uuid"] != cards_by_tenant["ts"][0]["uuid"]


def test_export_and_erasure_cover_one_hospital_only(hospitals: Make, ehr: Client) -> None:
    client = hospitals(audit="digest")
    for tenant in ("tn", "ts"):
        (card,) = call(client, ehr, tenant, magnesium(0.55))
        give_feedback(client, ehr, tenant, card["uuid"])
    records = client.application.extensions["cds_parts"].records
    records.shown_cards.flush()
    records.denominators.flush()
    records.upkeep.run_once()

    def stored_rows(site: str) -> dict[str, int]:
        rows = [row for row in export(records.database, site) if "site" in row]
        assert {row["site"] for row in rows} <= {site}
        return Counter(row["table"] for row in rows)

    before = stored_rows("south")
    assert {"feedback", "counts", "denominators", "audit"} <= before.keys()
    assert before == stored_rows("north")
    erase(records.database, date(2100, 1, 1), "north")
    assert stored_rows("north") == {}
    assert stored_rows("south") == before


def test_each_hospital_has_its_own_report(
    hospitals: Make, ehr: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = hospitals("[site.north]\nsilent = ['*']\n[site.south]\n")
    for _ in range(2):
        call(client, ehr, "tn", magnesium(0.55))
    (card,) = call(client, ehr, "ts", magnesium(0.55))
    give_feedback(client, ehr, "ts", card["uuid"])
    by_site = {}
    for site in ("north", "south", "default"):
        row = counted(client, site, "low-magnesium")
        by_site[site] = (row.shown, row.would_show, row.overridden, row.calls, row.patients)
    assert by_site == {
        "north": (0, 2, 0, 2, 1),
        "south": (1, 0, 1, 1, 1),
        "default": (0, 0, 0, 0, 0),
    }
    monkeypatch.setenv("CDS_DATABASE_URL", f"sqlite:///{tmp_path}/records.db")
    result = CliRunner().invoke(main, ["report", "--site", "north", "--json"])
    rules = {rule["rule"]: rule for rule in json.loads(result.stdout)["rules"]}
    assert (rules["low-magnesium"]["shown"], rules["low-magnesium"]["would_show"]) == (0, 2)
    assert json.loads(result.stdout)["total"] == 0


def test_every_metric_of_a_rule_names_its_hospital(hospitals: Make, ehr: Client) -> None:
    client = hospitals("[site.north]\nsilent = ['*']\n[site.south]\n")
    call(client, ehr, "tn", magnesium(0.55))
    (card,) = call(client, ehr, "ts", magnesium(0.55))
    give_feedback(client, ehr, "ts", card["uuid"])
    lines = [
        line
        for line in client.get("/metrics").text.splitlines()
        if 'rule="low-magnesium"' in line and "_created" not in line
    ]
    assert lines
    assert all('site="north"' in line or 'site="south"' in line for line in lines)
    of_north = [line for line in lines if 'site="north"' in line]
    assert not [line for line in of_north if line.startswith("cds_cards_shown")]
    assert [line for line in of_north if line.startswith("cds_cards_silent")]
    lines_of_feedback = [line for line in client.get("/metrics").text.splitlines()
           if line.startswith("cds_feedback_total{")]  # fmt: skip
    assert lines_of_feedback
    assert all('site="south"' in line for line in lines_of_feedback)


def test_a_key_of_a_topic_that_is_not_served_is_valid_if_its_value_is(tmp_path: Path) -> None:
    others = [replace(TOPIC, options=())]
    file = tmp_path / "sites.toml"
    file.write_text('[site.default]\ncramps = "assumed"\n', encoding="utf-8")
    assert DEFAULT_SITE in sites.hospitals(Settings(sites=str(file)), others)
    file.write_text('[site.default]\ncramps = "perhaps"\n', encoding="utf-8")
    with pytest.raises(StartupError, match="cramps: input should be 'documented' or 'assumed'"):
        sites.hospitals(Settings(sites=str(file)), others)
