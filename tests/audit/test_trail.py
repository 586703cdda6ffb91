"""Each call writes one row, cards can be reconstructed word for word, and no call waits for it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from msgspec.structs import replace as changed
from sqlalchemy import select
from structlog.testing import capture_logs

from cds_service.audit import trail as module
from cds_service.audit.sealing import new_pair
from cds_service.audit.trail import AuditRow, Trail
from cds_service.cli import main
from cds_service.core.patient import Facts
from cds_service.engine.rule import Answer, Evidence, Finding
from cds_service.errors import StartupError, Unavailable
from cds_service.storage.database import open_database
from cds_service.storage.tables import audit
from tests.api.conftest import service
from tests.api.minimal_service import SELECT, VIEW, body, draft, low_potassium, order_body, post
from tests.conformance.signing_client import Client

__all__ = ["service"]
Make = Callable[..., FlaskClient]
CANARY = "canary-patient"


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    """Path of the private key, and the public one."""
    private, public = new_pair()
    path = tmp_path / "private.pem"
    path.write_text(private)
    return str(path), public


def _rows(client: FlaskClient) -> list[Any]:
    records = client.application.extensions["cds_parts"].records
    records.upkeep.run_once()
    with records.database.read() as connection:
        return list(connection.execute(select(audit).order_by(audit.c.at)).mappings())


def _show(tmp_path: Path, *arguments: str) -> Any:
    environment = {"CDS_DATABASE_URL": f"sqlite:///{tmp_path}/records.db"}
    return CliRunner().invoke(main, ["audit", "show", *arguments], env=environment)


def test_a_card_is_reconstructed_word_for_word(
    service: Make, tmp_path: Path, pair: tuple[str, str]
) -> None:
    client = service(audit="full", audit_key=pair[1])
    sent = post(client, VIEW, body()).get_json()["cards"]
    sent += post(client, SELECT, order_body(draft("Quinine"))).get_json()["cards"]
    assert sent
    _rows(client)
    for card in sent:
        result = _show(tmp_path, card["uuid"].upper(), "--key", pair[0], "--json")
        assert result.exit_code == 0, result.stderr
        (record,) = json.loads(result.stdout)
        assert record["said"] == card
        assert all(fact["reference"] and fact["said"] for fact in record["evidence"])
        printed = _show(tmp_path, card["uuid"], "--key", pair[0]).stdout
        assert card["summary"] in printed
        assert card["detail"] in printed


def test_without_the_private_key_the_trail_says_which_rule_and_nothing_of_the_patient(
    service: Make, tmp_path: Path, pair: tuple[str, str]
) -> None:
    client = service(audit="full", audit_key=pair[1])
    call = body(context={"userId": "Practitioner/canary-user", "patientId": "p1"})
    (card, *_) = post(client, VIEW, call).get_json()["cards"]
    (row,) = _rows(client)
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("records.db*"))
    assert b"canary-user" not in raw
    assert card["summary"].encode() not in raw
    assert (row["site"], row["topic"], row["service"]) == (
        "default", "leg-cramps", "leg-cramps-patient-view",
    )  # fmt: skip
    content = json.loads(row["content"])
    assert ["low-potassium", "1.0.0", "fired"] in content["rules"]
    assert content["cards"][0]["card"] == card["uuid"]
    result = _show(tmp_path, card["uuid"])
    assert "encrypted" in result.stdout
    assert card["summary"] not in result.stdout


def test_digests_distinguish_people_and_reveal_nothing_else(service: Make) -> None:
    client = service(audit="digest")
    for user, patient in (("a", "p1"), ("a", "p2"), ("b", "p1")):
        post(client, VIEW, body(context={"userId": f"Practitioner/{user}", "patientId": patient}))
    rows = _rows(client)
    assert [row["sealed"] for row in rows] == [None] * 3
    assert len({row["clinician"] for row in rows}) == 2
    assert len({row["patient"] for row in rows}) == 2
    assert rows[0]["patient"] == rows[2]["patient"]
    assert len({row["caller"] for row in rows}) == 1
    assert len({json.loads(row["content"])["limits"] for row in rows}) == 1


def test_tenants_and_servers_have_digests_of_their_own(service: Make, tmp_path: Path) -> None:
    servers = ["https://a.example/fhir", "https://b.example/fhir"]
    ehr = Client(tmp_path, tenants=["north", "south"], fhir_servers=servers)
    client = service(audit="digest", **ehr.settings)
    for tenant, server in (("north", servers[0]), ("south", servers[0]), ("north", servers[1])):
        headers = ehr.signed(VIEW, tenant=tenant)
        assert client.post(VIEW, json=body(fhirServer=server), headers=headers).status_code == 200
    rows = _rows(client)
    assert len({row["patient"] for row in rows}) == 3
    assert len({row["caller"] for row in rows}) == 2


def test_with_the_trail_off_nothing_is_stored(service: Make) -> None:
    client = service()
    post(client, VIEW, body())
    assert _rows(client) == []
    assert client.get("/readyz").get_json()["parts"]["audit"] == "off"


class _Locked:
    """Holds the write lock of the service's SQLite file."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from cds_service.storage import engines

    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    yield


def test_a_call_is_answered_when_the_trail_cannot_be_written(
    service: Make, tmp_path: Path, impatient: None
) -> None:
    client = service(audit="digest")
    records = client.application.extensions["cds_parts"].records
    locked = _Locked(tmp_path / "records.db")
    with capture_logs() as lines:
        assert post(client, VIEW, body()).status_code == 200
        records.upkeep.run_once()
    assert "audit_not_written" in [line["event"] for line in lines]
    health = client.get("/readyz")
    assert health.get_json()["parts"]["audit"] == "degraded"
    assert health.status_code == 200
    locked.release()
    assert len(_rows(client)) == 1
    assert client.get("/readyz").get_json()["parts"]["audit"] == "ok"


def test_rows_that_do_not_fit_into_memory_are_counted_logged_and_reported(
    service: Make, tmp_path: Path, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ROWS", 2)
    client = service(audit="digest")
    locked = _Locked(tmp_path / "records.db")
    for _ in range(5):
        assert post(client, VIEW, body()).status_code == 200
    assert "cds_audit_lost_total 3.0" in client.get("/metrics").text
    assert client.get("/readyz").get_json()["parts"]["audit"] == "degraded"
    locked.release()
    with capture_logs() as lines:
        assert len(_rows(client)) == 2
    assert {"event": "audit_lost", "rows": 3, "log_level": "error"} in lines


def test_a_required_trail_refuses_the_call_and_answers_when_it_can(
    service: Make, tmp_path: Path, impatient: None
) -> None:
    client = service(audit="digest", audit_required=True)
    locked = _Locked(tmp_path / "records.db")
    refused = post(client, VIEW, body())
    assert refused.status_code == 503
    assert "cards" not in refused.get_json()
    assert client.get("/readyz").status_code == 503
    locked.release()
    # It becomes ready again by itself, because no call is sent to a process that is not ready.
    client.application.extensions["cds_parts"].records.upkeep.run_once()
    assert client.get("/readyz").status_code == 200
    assert post(client, VIEW, body()).status_code == 200
    # It is there already: nothing waits for the upkeep.
    database = client.application.extensions["cds_parts"].records.database
    with database.read() as connection:
        assert len(connection.execute(select(audit)).all()) == 1


@pytest.mark.parametrize("required", [False, True])
def test_a_fact_that_cannot_be_written_costs_the_trail_its_line_and_no_row(
    service: Make, tmp_path: Path, pair: tuple[str, str], required: bool
) -> None:
    def check(facts: Facts) -> Answer:
        finding = low_potassium.check(facts) if low_potassium.check else None
        assert isinstance(finding, Finding)
        fact = changed(finding.evidence[0].fact, value=None)
        return changed(finding, evidence=(Evidence(fact),))

    faulty = replace(low_potassium, id="faulty", check=check)
    client = service(faulty, audit="full", audit_key=pair[1], audit_required=required)
    cards = post(client, VIEW, body()).get_json()["cards"]
    assert len(cards) == 2
    assert len(_rows(client)) == 1
    for card in cards:
        shown = _show(tmp_path, card["uuid"], "--key", pair[0])
        assert shown.exit_code == 0, shown.output
        assert card["summary"] in shown.output


def test_a_row_that_cannot_be_sealed_costs_no_other_row(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/sealing.db")
    database.probe()
    trail = Trail(database, lost=lambda _: None)
    trail.add(_row(1)._replace(seal=lambda: bytes(1 // 0)))
    trail.add(_row(2)._replace(seal=lambda: b"sealed", cards=("b",)))
    with capture_logs() as logged:
        trail.flush()
    with database.read() as connection:
        found = connection.execute(select(audit.c.record, audit.c.sealed)).all()
    assert sorted(map(tuple, found)) == [("1", None), ("2", b"sealed")]
    assert [entry["event"] for entry in logged] == ["audit_not_sealed"]


@pytest.mark.parametrize("required", [False, True])
def test_a_fault_in_the_trail_does_not_fail_the_call(
    service: Make, monkeypatch: pytest.MonkeyPatch, required: bool
) -> None:
    from cds_service.audit.recording import Recorder

    def broken(*_: object) -> None:
        raise LookupError(CANARY)

    client = service(audit="digest", audit_required=required)
    monkeypatch.setattr(Recorder, "row", broken)
    with capture_logs() as lines:
        assert post(client, VIEW, body()).status_code == (503 if required else 200)
    assert "audit_failed" in [line["event"] for line in lines]
    assert CANARY not in str(lines)
    assert "cds_audit_lost_total 1.0" in client.get("/metrics").text


@pytest.mark.parametrize(
    "settings",
    [
        {"audit_required": True},
        {"audit": "full"},
        {"audit": "full", "audit_key": "nothing"},
    ],
)
def test_settings_that_contradict_each_other_refuse_to_start(
    service: Make, settings: dict[str, Any]
) -> None:
    with pytest.raises(StartupError, match="CDS_AUDIT"):
        service(**settings)


def test_an_unknown_card_is_reported_in_one_clear_line(service: Make, tmp_path: Path) -> None:
    client = service(audit="digest")
    post(client, VIEW, body())
    _rows(client)
    result = _show(tmp_path, "4e0a2fb1-6e4b-4f0e-8f5d-3e9f0c6a1b2c")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1


def test_the_key_pair_of_the_command_line_works(service: Make, tmp_path: Path) -> None:
    path = tmp_path / "audit-private.pem"
    result = CliRunner().invoke(main, ["audit", "keygen", "--out", str(path)])
    assert path.stat().st_mode & 0o777 == 0o600
    public = result.stdout.strip().removeprefix("CDS_AUDIT_KEY=")
    client = service(audit="full", audit_key=public)
    (card, *_) = post(client, VIEW, body()).get_json()["cards"]
    _rows(client)
    assert card["summary"] in _show(tmp_path, card["uuid"], "--key", str(path)).stdout
    again = CliRunner().invoke(main, ["audit", "keygen", "--out", str(path)])
    assert again.exit_code == 1
    assert "exists" in again.stderr


def _row(number: int) -> AuditRow:
    return AuditRow(str(number), "2026-11-27", "default", "t", "s", "c", "u", "p", "{}", ("a",))


def test_rows_that_were_not_written_keep_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "late"
    database = open_database(f"sqlite:///{folder / 'kept.db'}")
    trail = Trail(database, lost=lambda _: None)
    for number in range(1200):
        trail.add(_row(number))
    for _ in range(2):
        with pytest.raises(Unavailable):
            trail.flush()
        assert trail.degraded
    folder.mkdir()
    database.probe()
    trail.flush()
    assert not trail.degraded
    with database.read() as connection:
        written = connection.execute(select(audit.c.record)).scalars().all()
    assert sorted(map(int, written)) == list(range(1200))
    database.close()
