"""Stored data can be exported, erased, backed up and restored; their key can be changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from patients import patient
from sqlalchemy import select
from test_feedback_answers import overridden

from cds_service.audit.trail import AuditRow, Trail
from cds_service.cli import main
from cds_service.core.identity import ANYBODY, Origin
from cds_service.errors import BadRequest, StartupError
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.card_keys import OVERLAP_DAYS, CardKeys, read_setting
from cds_service.feedback.denominators import PATIENT, Denominator
from cds_service.feedback.records import Records, open_records
from cds_service.feedback.report import report
from cds_service.storage import lifecycle, tables
from cds_service.storage.database import Database, open_database
from cds_service.storage.lifecycle import Retention

RULE = RuleVersion("low-magnesium", "1.2.0")
NORTH, SOUTH = Origin("https://ehr", "n", "north"), Origin("https://ehr", "s", "south")
OLD, NEW = datetime(2026, 1, 10, 12, tzinfo=UTC), datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def records(tables_url: str) -> Any:
    store = open_records(tables_url, [RULE])
    store.start()
    yield store
    store.close()
    store.database.close()


def _fill(records: Records) -> None:
    """For each site and each time: an answer, one to an unknown card, a count, an audit row."""
    trail = Trail(records.database, lost=lambda _: None)
    for origin in (NORTH, SOUTH):
        for moment in (OLD, NEW):
            records.feedback._now = lambda moment=moment: moment  # type: ignore[misc]
            name = f"{origin.site}-{moment.month}"
            card = records.card_ids.new(*RULE, patient(name, origin=origin), "e")
            answer = overridden(card=card, overrideReason={"userComment": f"comment {name}"})
            body = {"feedback": [answer, overridden(card=f"unknown {name}")]}
            records.feedback.save("s", body, origin)
            records.shown_cards.add("s", *RULE, moment.date(), site=origin.site)
            records.denominators.add([Denominator(origin.site, "s", moment.date(), PATIENT, name)])
            at = moment.strftime("%Y-%m-%dT%H:%M:%S.000000000Z")
            trail.write(
                [
                    AuditRow(
                        name,
                        at,
                        origin.site,
                        "t",
                        "s",
                        "c",
                        "u",
                        "p",
                        "{}",
                        (card,),
                        None,
                        b"\x00x",
                    )
                ]
            )
    records.shown_cards.flush()
    records.denominators.flush()


def _count(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {
            name: len(connection.execute(select(tables.metadata.tables[name])).all())
            for name in (
                "feedback",
                "unknown_feedback",
                "counts",
                "denominators",
                "audit",
                "audit_cards",
            )
        }


def test_everything_is_exported_of_all_sites_or_one(records: Records) -> None:
    _fill(records)
    everything = list(lifecycle.export(records.database))
    assert {row["table"] for row in everything} == {
        "feedback", "unknown_feedback", "counts", "denominators", "audit",
    }  # fmt: skip
    assert len(everything) == 20
    north = list(lifecycle.export(records.database, "north"))
    assert len(north) == 10
    assert {row["site"] for row in north} == {"north"}
    text = json.dumps(everything)
    assert "comment south-11" in text
    assert [row["sealed"] for row in north if row["table"] == "audit"] == ["AHg="] * 2
    with records.database.read() as connection:
        key = connection.execute(select(tables.kept_secrets.c.value)).scalar_one()
    assert key not in text
    assert list(lifecycle.export(records.database, "nobody")) == []


def test_only_older_data_are_erased(records: Records) -> None:
    _fill(records)
    erased = lifecycle.erase(records.database, date(2026, 11, 20))
    assert erased == {
        "feedback": 2, "unknown_feedback": 2, "counts": 2, "shown": 0, "audit": 2,
        "denominators": 2,
    }  # fmt: skip
    assert set(_count(records.database).values()) == {2}
    assert lifecycle.erase(records.database, date(2026, 11, 20))["feedback"] == 0
    # The day after the last row leaves nothing.
    lifecycle.erase(records.database, date(2026, 11, 21))
    assert set(_count(records.database).values()) == {0}


def test_erasing_one_site_leaves_the_others_unchanged(records: Records) -> None:
    _fill(records)
    lifecycle.erase(records.database, date(2027, 1, 1), "north")
    remaining = list(lifecycle.export(records.database))
    assert len(remaining) == 10
    assert {row["site"] for row in remaining} == {"south"}
    assert report(records.database, site="south").total == 4


def test_erased_data_do_not_remain_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kept.db"
    records = open_records(f"sqlite:///{path}", [RULE])
    records.start()
    _fill(records)
    lifecycle.erase(records.database, date(2027, 1, 1))
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("kept.db*"))
    assert b"comment north" not in raw
    records.close()


def test_more_rows_than_one_transaction_deletes_are_erased(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "_BATCH", 3)
    for number in range(8):
        records.feedback.save("s", {"feedback": [overridden(card=f"c{number}")]})
    assert lifecycle.erase(records.database, date(2100, 1, 1))["unknown_feedback"] == 8


def test_retention_deletes_expired_data(records: Records) -> None:
    _fill(records)
    today = NEW.date()
    Retention(records.database, None, None, today=lambda: today)()
    assert set(_count(records.database).values()) == {4}
    Retention(records.database, 30, None, today=lambda: today)()
    left = _count(records.database)
    assert (left["feedback"], left["counts"], left["audit"]) == (2, 2, 4)
    Retention(records.database, None, 30, today=lambda: today)()
    assert _count(records.database)["audit"] == _count(records.database)["audit_cards"] == 2


def test_retention_runs_once_an_hour(records: Records) -> None:
    now = [0.0]
    task = Retention(records.database, 30, 30, today=NEW.date, clock=lambda: now[0])
    task()
    _fill(records)
    task()
    assert _count(records.database)["feedback"] == 4
    now[0] = 3601.0
    task()
    assert _count(records.database)["feedback"] == 2


# --- the card key ----------------------------------------------------------------------------


def test_ids_of_the_previous_key_count_for_90_days(tables_url: str) -> None:
    first = open_records(tables_url, [RULE])
    first.start()
    before = first.card_ids.new(*RULE, patient(), "e")
    today = [date(2026, 11, 27)]
    rotating = open_database(tables_url)
    last = CardKeys(None, today=lambda: today[0]).rotate(rotating)
    assert last == date(2026, 11, 27) + timedelta(days=OVERLAP_DAYS)

    later = CardKeys(None, today=lambda: today[0])
    later.settle(rotating)
    now = later.ids.new(*RULE, patient(), "e")
    assert later.ids.was_made_for(before, ANYBODY)
    # A process that has not reread the keys yet recognises both.
    saved = first.feedback.save(
        "s", {"feedback": [overridden(card=card) for card in (before, now)]}
    )
    assert saved.unknown == 0
    today[0] = last + timedelta(days=1)
    later.reread(rotating)
    assert later.ids.was_made_for(now, ANYBODY)
    assert not later.ids.was_made_for(before, ANYBODY)
    # The next rotation deletes keys that have expired.
    later.rotate(rotating)
    with rotating.read() as connection:
        assert len(connection.execute(select(tables.earlier_card_keys)).all()) == 1
    for database in (first.database, rotating):
        database.close()


def test_a_key_in_the_settings_is_changed_in_the_settings(tables_url: str) -> None:
    database = open_database(tables_url)
    with pytest.raises(BadRequest, match="CDS_CARD_KEY") as refused:
        CardKeys("a key in the settings").rotate(database)
    assert "a key in the settings" not in str(refused.value)
    database.close()


TODAY = date(2026, 11, 27)


@pytest.mark.parametrize(
    ("setting", "keys"),
    [
        ("a" * 16, [b"a" * 16]),
        ("a" * 16 + "," + "b" * 16 + "@2026-11-27", [b"a" * 16, b"b" * 16]),
        ("a" * 16 + ", " + "b" * 16 + "@2027-01-01", [b"a" * 16, b"b" * 16]),
        ("a" * 16 + "," + "b" * 16 + "@2026-11-26", [b"a" * 16]),
        ("a" * 16 + ",with a comma in it", [b"a" * 16 + b",with a comma in it"]),
    ],
)
def test_the_setting_may_name_earlier_keys(setting: str, keys: list[bytes]) -> None:
    assert read_setting(setting, TODAY) == keys


@pytest.mark.parametrize(
    "setting", ["short", "a" * 16 + ",b@2027-01-01", "", "a" * 16 + ",b@2027-02-30"]
)
def test_a_key_that_is_too_short_or_has_no_day_refuses_to_start(setting: str) -> None:
    with pytest.raises(StartupError, match="CDS_CARD_KEY"):
        read_setting(setting, TODAY)


# --- the command line ------------------------------------------------------------------------


@pytest.fixture
def command(records: Records, tables_url: str) -> Callable[..., Any]:
    _fill(records)

    def run(*arguments: str, **more: str) -> Any:
        environment = {"CDS_DATABASE_URL": tables_url} | more
        return CliRunner().invoke(main, ["data", *arguments], env=environment)

    return run


def test_export_writes_one_object_a_line(command: Callable[..., Any], tmp_path: Path) -> None:
    result = command("export", "--site", "north")
    assert result.exit_code == 0
    assert [json.loads(line)["site"] for line in result.stdout.splitlines()] == ["north"] * 10
    path = tmp_path / "all.ndjson"
    assert command("export", "--out", str(path)).exit_code == 0
    assert len(path.read_text().splitlines()) == 20
    assert path.stat().st_mode & 0o777 == 0o600
    again = command("export", "--out", str(path))
    assert (again.exit_code, "exists" in again.stderr) == (1, True)


def test_erase_reports_what_it_erased(command: Callable[..., Any], records: Records) -> None:
    result = command("erase", "--before", "2026-11-20", "--site", "north")
    assert result.exit_code == 0
    assert "feedback: 1 rows erased" in result.stdout
    assert _count(records.database)["feedback"] == 3
    for wrong in (
        ("erase",),
        ("erase", "--before", "yesterday"),
        ("erase", "--before", "2026-13-01"),
    ):
        assert command(*wrong).exit_code == 2


def test_a_running_process_uses_a_rotated_key(
    command: Callable[..., Any], records: Records
) -> None:
    before = records.card_ids.new(*RULE, patient(), "e")
    result = command("rotate-key")
    assert result.exit_code == 0
    assert "90 days" in result.stdout or "until" in result.stdout
    records._reread_at = 0.0
    records.upkeep.run_once()
    now = records.card_ids.new(*RULE, patient(), "e")
    assert len(records.card_ids._keyed) == 2
    assert records.card_ids.was_made_for(before, ANYBODY)
    assert records.card_ids.was_made_for(now, ANYBODY)
    result_with_setting = command("rotate-key", CDS_CARD_KEY="a key in the settings")
    assert result_with_setting.exit_code == 1
    assert result_with_setting.stderr.count("\n") == 1


def test_no_command_makes_a_database(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    for arguments in (["data", "export"], ["data", "erase", "--before", "2026-01-01"],
                      ["data", "rotate-key"], ["audit", "show", "x"]):  # fmt: skip
        environment = {"CDS_DATABASE_URL": f"sqlite:///{path}"}
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == 1, arguments
        assert "does not exist" in result.stderr
    assert not path.exists()
