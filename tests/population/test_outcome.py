"""Orders, two sites, limits, the report, review sheets, and resuming after a stop."""

from __future__ import annotations

import csv
import errno
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli import main
from cds_service.core.kinds import ORDERED
from cds_service.errors import BadRequest, StartupError
from cds_service.population.limits import checked_limits, compared_with_limits, verdict
from cds_service.population.options import RunOptions, plan_of
from cds_service.population.running import run
from cds_service.population.sampling import read_csv
from cds_service.population.score import kappa, score
from cds_service.population.summary import PUBLISHED, wilson
from cds_service.settings import Settings
from tests.population.export import (
    Json,
    cramps,
    encounter,
    outcome,
    patient,
    potassium,
    quiet,
    quinine,
    subject,
    write,
)
from tests.testing import fhir
from tests.testing.programs import Program, run_program
from tests.testing.thorough import thorough

PATIENTS = ("p1", "p2", "p3")


def export(folder: Path, names: tuple[str, ...] = PATIENTS) -> Path:
    for name in names:
        write(
            folder,
            patient(name),
            encounter(f"e-{name}", of=name),
            cramps(of=name),
            potassium(
                3.1 if name == "p1" else 4.2, "2026-03-01T08:00:00Z", name=f"k-{name}", of=name
            ),
        )
    return write(folder, quinine())


def fates(summary: Json) -> dict[str, str]:
    return {row["rule"]: row["fate"] for row in summary["evaluations"] if row["answer"] == "fired"}


def test_the_columns_are_those_documented(tmp_path: Path) -> None:
    summary = outcome(export(tmp_path / "in"), tmp_path / "out")

    assert list(summary["evaluations"][0]) == [
        "site", "hook", "time", "patient", "encounter", "clinician", "order", "topic", "rule",
        "version", "answer", "indicator", "fate", "because", "facts",
    ]  # fmt: skip
    low = next(
        row for row in summary["evaluations"] if row["rule"] == "low-potassium" and row["facts"]
        and row["answer"] == "fired"
    )  # fmt: skip
    fact = {"code": "potassium", "value": "3.1", "unit": "mmol/L", "day": "2026-03-01"}
    assert fact in low["facts"]
    assert low["patient"] != "p1"
    assert len(low["patient"]) == 32


def test_orders_are_replayed_as_selected_drafts(tmp_path: Path) -> None:
    other = {**quinine(), "id": "m2", "medicationCodeableConcept": {"text": "amoxicillin 500 MG"}}
    stopped = quinine(status="stopped", statusChanged="2026-04-01T08:00:00Z")
    source = write(tmp_path / "in", patient(), cramps(), other, stopped)

    summary = outcome(source, tmp_path / "out", at="orders", identified=True)
    assert [call["order"] for call in summary["called"]] == ["MedicationRequest/quinine-p1"]
    assert summary["called"][0]["hook"] == "order-select"
    assert any("quinine" in rule for rule in fates(summary))


def test_orders_of_every_type_are_replayed_and_counted(tmp_path: Path) -> None:
    date_elements = {"NutritionOrder": "dateTime", "VisionPrescription": "dateWritten"}
    others = [
        fhir.resource(name, id="o1", status="active")
        | {
            "patient" if name in date_elements else "subject": subject(),
            date_elements.get(name, "authoredOn"): "2026-02-01T08:00:00Z",
        }
        for name in ORDERED
        if name != "MedicationRequest"
    ]
    undated = fhir.resource("DeviceRequest", id="o2", status="active", subject=subject())
    source = write(tmp_path / "in", patient(), cramps(), quinine(), *others, undated)

    summary = outcome(source, tmp_path / "out", at="orders", identified=True)

    assert summary["counts"]["orders"] == len(ORDERED)
    assert [call["order"] for call in summary["called"]] == ["MedicationRequest/quinine-p1"]
    undated_orders = "an order without the time when it was ordered: not evaluated"
    assert undated_orders in {caveat["kind"] for caveat in summary["caveats"]}


def test_two_sites_are_compared_in_one_pass(tmp_path: Path) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text('[site.north]\noff = ["quinine-active"]\n')
    settings = Settings(sites=str(sites))

    summary = outcome(export(tmp_path / "in"), tmp_path / "out", settings, compare="north")
    changes = {
        (each["rule"], each["change"]): each["calls"] for each in summary["compared"]["by_rule"]
    }
    assert changes["quinine-active", "vanishes"] == 1
    # A card that takes its room under the limit of cards appears; no rule does both.
    assert {change for rule, change in changes if rule != "quinine-active"} <= {"appears"}
    assert {row["patient"] for row in summary["compared"]["rows"]} == {
        row["patient"] for row in summary["evaluations"] if row["rule"] == "quinine-active"
        and row["answer"] == "fired"
    }  # fmt: skip
    assert summary["counts"]["calls"] == 3
    assert {row["site"] for row in summary["evaluations"]} == {"default", "north"}
    off = {row["fate"] for row in summary["evaluations"] if row["site"] == "north"
           and row["rule"] == "quinine-active"}  # fmt: skip
    assert off == {"off"}


def test_limits_give_a_go_or_no_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text("[population.limits]\ncards_per_100_encounters = 5\nno_answer_percent = 0.5\n")
    source = export(tmp_path / "in")

    summary = outcome(source, tmp_path / "out", Settings(sites=str(sites)))
    assert summary["limits"]["verdict"] == "no-go"
    assert {limit["limit"]: limit["met"] for limit in summary["limits"]["held"]} == {
        "cards_per_100_encounters": False,
        "no_answer_percent": True,
    }
    monkeypatch.setenv("CDS_SITES", str(sites))
    monkeypatch.setattr("cds_service.population.report.page", lambda _: "")  # takes longest
    result = CliRunner().invoke(main, ["population", str(source), "--out", str(tmp_path / "again"),
                                      "--workers", "1"])  # fmt: skip
    assert result.exit_code == 3, result.stderr
    assert result.stdout.startswith("3 patients, 3 calls, ")
    assert result.stdout.count("\n") == 1
    assert "no-go: cards_per_100_encounters" in result.stderr
    assert (tmp_path / "again/report.html").exists()


@pytest.mark.parametrize(
    "limits",
    [
        {"cards": 1},
        {"cannot_tell_percent": "x"},
        {"cannot_tell_percent": True},
        {"cannot_tell_percent": -1},
    ],
)
def test_a_limit_that_cannot_be_used_is_named(limits: Json) -> None:
    with pytest.raises(StartupError, match=next(iter(limits))):
        checked_limits(limits)


def test_a_misspelt_limit_is_named_with_its_file_before_anything_is_read(tmp_path: Path) -> None:
    sites = tmp_path / "sites.toml"
    for content, message in (
        (
            "[population.limits]\ncards_per_clincian_day = 3",
            "population.limits.cards_per_clincian_day",
        ),
        ("[population.limit]\ncards_per_clinician_day = 3", "population.limit"),
        ("[population.limits]\nCritical_percent = 3", "did you mean critical_percent?"),
    ):
        sites.write_text(content)
        command = ["population", str(export(tmp_path / "in")), "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(main, command, env={"CDS_SITES": str(sites)})
        assert result.exit_code == 1
        assert str(sites) in result.stderr
        assert message in result.stderr
        assert not (tmp_path / "out").exists()


def test_the_first_screen_shows_rates_above_published_ones_and_missing_data(
    tmp_path: Path,
) -> None:
    source = export(tmp_path / "in")
    (source / "Observation.cut.ndjson").write_text('{"resourceType": "Observation", "id"')
    outcome(source, tmp_path / "out", report=True)
    first = (tmp_path / "out" / "report.html").read_text().partition("<dl>")[0]
    assert "Above the published rates:</strong> cards per 100 encounters" in first
    assert "Not in these figures:</strong> a line cut in the middle (1)" in first


def test_the_report_of_an_export_without_patients_says_so_first(tmp_path: Path) -> None:
    source = export(tmp_path / "in")
    (source / "Patient.000.ndjson").unlink()
    outcome(source, tmp_path / "out", report=True)
    first = (tmp_path / "out" / "report.html").read_text().partition("<dl>")[0]
    assert "age and sex of" in first


def test_results_without_a_code_are_counted(tmp_path: Path) -> None:
    results = [potassium(3.0, "2026-03-01T08:00:00Z", name=f"k{n}") for n in range(5)]
    results[0]["code"] = {"text": "Potassium (local panel)"}
    results[1]["code"] = {"coding": [{"display": "Potassium"}]}
    del results[2]["code"]
    results[3]["code"] = {"coding": [{"system": "urn:local", "code": "K"}]}
    source = write(export(tmp_path / "in", ("p9",)), *results)
    counted = {
        caveat["kind"]: caveat["resources"]
        for caveat in outcome(source, tmp_path / "out")["caveats"]
    }
    assert counted["Observation without a code: recognised by its text only"] == 3


def test_a_limit_without_anything_to_count_is_not_a_go(tmp_path: Path) -> None:
    summary = outcome(export(tmp_path / "in"), tmp_path / "out")

    comparison = compared_with_limits(summary, {"cards_per_100_orders": 5.0})
    assert comparison[0]["met"] is None
    assert verdict(comparison) == "cannot tell"


def test_the_report_is_one_page_without_outside_assets(tmp_path: Path) -> None:
    outcome(export(tmp_path / "in"), tmp_path / "out", report=True)
    page = (tmp_path / "out" / "report.html").read_text()

    assert "No limits set" in page
    assert page.count("<svg") == 3
    assert "Most cards: " in page
    assert "Could not tell in half of the calls or more: anemia (100.0 %), low-ferritin" in page
    assert "0.98 to 17.42" in page
    for outside in ('src="http', 'href="http', "<script", "@import"):
        assert outside not in page


def test_an_export_without_calls_still_has_a_report(tmp_path: Path) -> None:
    summary = outcome(write(tmp_path / "in", patient()), tmp_path / "out", report=True)

    assert summary["counts"]["calls"] == 0
    assert (tmp_path / "out" / "report.html").exists()


def test_a_patient_with_too_much_data_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cds_service.population import running

    plan_of = running.plan_of
    monkeypatch.setattr(
        running,
        "plan_of",
        lambda *arguments: __import__("dataclasses").replace(plan_of(*arguments), most=4),
    )
    summary = outcome(export(tmp_path / "in"), tmp_path / "out")

    failed = [call for call in summary["called"] if call["failed"]]
    assert len(failed) == 1
    assert failed[0]["failed"].startswith("TooLarge")
    assert summary["counts"]["calls"] == 3
    answers = {
        row["answer"] for row in summary["evaluations"] if row["patient"] == failed[0]["patient"]
    }
    assert answers == {"cannot tell"}


def test_sheets_are_blinded_and_scored(tmp_path: Path) -> None:
    outcome(export(tmp_path / "in"), tmp_path / "out", sample=6)
    rows = list(read_csv(tmp_path / "out" / "sample.csv"))
    key = {row["sheet"]: row["answer"] for row in read_csv(tmp_path / "out" / "sample-key.csv")}
    assert {"fired", "did not fire"} <= set(key.values()) | {"did not fire"}
    assert any(answer != "fired" for answer in key.values())
    for row in rows:
        sheet = (tmp_path / "out" / "sample" / f"{row['sheet']}.html").read_text()
        assert row["rule"] in sheet
        assert "did not fire" not in sheet
        assert "Patient/p" not in sheet
    readers = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for reader in readers:
        with reader.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            for row in rows:
                fires = key[row["sheet"]] == "fired"
                writer.writerow({**row, "should_fire": "yes" if fires else "no"})

    scored = score(tmp_path / "out", readers)
    assert scored["kappa"] == 1.0
    assert scored["agreed"]["positive"]["value"] == 1.0
    assert scored["agreed"]["negative"]["value"] == 1.0
    assert scored["both"] == 6


def test_a_wrong_sheet_is_named(tmp_path: Path) -> None:
    outcome(export(tmp_path / "in"), tmp_path / "out", sample=2)
    sheet = tmp_path / "a.csv"
    text = (tmp_path / "out" / "sample.csv").read_text().splitlines()
    sheet.write_text("\n".join([text[0], text[1].replace(",,", ",perhaps,")]))

    with pytest.raises(BadRequest, match="line 2: should_fire is 'perhaps'"):
        score(tmp_path / "out", [sheet])


def test_kappa_and_intervals_match_textbook_values() -> None:
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(pairs) == 0.4
    assert kappa([]) is None
    low, high = wilson(8, 10)
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)


def test_a_killed_run_resumes_without_a_lost_or_duplicate_row(tmp_path: Path) -> None:
    """And its result is that of one partition and one worker."""
    names = tuple(f"p{number}" for number in range(1, 60))
    source = export(tmp_path / "in", names)
    uninterrupted = outcome(source, tmp_path / "whole", identified=True)
    options = ["--identified", "--partitions", "12", "--workers", "2"]
    words = ["population", str(source), "--out", str(tmp_path / "out"), *options]
    log = tmp_path / "log"
    running = Program("cds_service", *words, folder=tmp_path, environ=os.environ, out=log)
    answers = tmp_path / "out" / ".work" / "answers"
    deadline = time.monotonic() + 60
    while len(list(answers.glob("*.parquet"))) < 2 and time.monotonic() < deadline:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait(10)
    answered = len(list(answers.glob("*.parquet")))
    assert answered >= 2

    same = {"identified": True, "partitions": 12}
    with pytest.raises(BadRequest, match="unfinished"):
        outcome(source, tmp_path / "out", **same)
    with pytest.raises(BadRequest, match="other options"):
        outcome(source, tmp_path / "out", **same, at="2026-01-01", resume=True)
    resumed = run_program(
        "cds_service", *words, "--resume", "--workers", "1", folder=tmp_path, environ=os.environ
    )
    assert resumed.returncode == 0, resumed.stderr

    import pyarrow.parquet as pq

    assert (
        pq.read_table(tmp_path / "out/evaluations.parquet").to_pylist()
        == uninterrupted["evaluations"]
    )
    ignored = ["milliseconds"]
    calls = pq.read_table(tmp_path / "out/calls.parquet").drop_columns(ignored).to_pylist()
    assert calls == [
        {k: v for k, v in call.items() if k not in ignored} for call in uninterrupted["called"]
    ]
    assert not (tmp_path / "out/.work").exists()


def test_a_full_disk_is_reported_and_the_run_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = export(tmp_path / "in")
    uninterrupted = outcome(source, tmp_path / "whole", identified=True)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("cds_service.population.running.write_tables", full)
        with pytest.raises(BadRequest, match=r"No space left on device.*--resume"):
            outcome(source, tmp_path / "out", identified=True)
    summary = outcome(source, tmp_path / "out", identified=True, resume=True)
    assert summary["evaluations"] == uninterrupted["evaluations"]


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Make sure that /proc/none can be written"):
        run(
            RunOptions(source=str(export(tmp_path / "in")), out=Path("/proc/none")),
            Settings(),
            quiet,
        )


def test_a_partly_removed_run_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = export(tmp_path / "in")

    def killed(path: Path, **_: object) -> None:
        if path.exists() and path.parent.name == "out":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("cds_service.population.running.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            run(RunOptions(source=str(source), out=tmp_path / "out", workers=1), Settings(), quiet)
    with pytest.raises(BadRequest, match="is finished"):
        outcome(source, tmp_path / "out", resume=True)
    assert [file for file in (tmp_path / "out").iterdir() if file.name.startswith(".")] == []


def test_changed_limits_are_not_mixed_by_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = export(tmp_path / "in")
    limits = tmp_path / "limits.toml"
    limits.write_text('["magnesium.low"]\nvalue = "0.65"\nunit = "mmol/L"\n')
    sites = tmp_path / "sites.toml"
    sites.write_text('[site.default]\nlimits = "limits.toml"\n')

    def stopped(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr("cds_service.population.running.write_tables", stopped)
        with pytest.raises(BadRequest, match="--resume"):
            outcome(source, tmp_path / "out", Settings(sites=str(sites)))
    limits.write_text('["magnesium.low"]\nvalue = "0.60"\nunit = "mmol/L"\n')
    with pytest.raises(BadRequest, match="other options, settings or data"):
        outcome(source, tmp_path / "out", Settings(sites=str(sites)), resume=True)


@pytest.mark.parametrize("name", ["o'x a[1] s*?;--", "site=north"])
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    source = export(tmp_path / name / "in")

    summary = outcome(source, tmp_path / name / "out", sample=2)
    assert {call["site"] for call in summary["called"]} == {"default"}
    assert summary["counts"]["calls"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": "2026-03-10", "start": "2026-01-01"}, "--from: every patient is evaluated once"),
        ({"at": "2026-03-10", "end": "2026-01-01"}, "--to: every patient is evaluated once"),
        ({"start": "2026-03-02", "end": "2026-03-01"}, "--to: 2026-03-01 is before"),
        ({"compare": "default"}, "--compare: default is the site itself"),
        ({"compare": "north"}, "--compare: there is no site north"),
        ({"site": "north"}, "--site: there is no site north"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    tmp_path: Path, options: Json, message: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        outcome(export(tmp_path / "in"), tmp_path / "out", **options)
    assert message in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_run_is_not_written_into_its_export(tmp_path: Path) -> None:
    source = export(tmp_path / "in")
    with pytest.raises(BadRequest, match="inside the export"):
        outcome(source, source / "out")


def visit(name: str, start: str, end: str | None, kind: str, clinician: str) -> Json:
    period = {"start": start, "end": end} if end else {"start": start}
    participants = [{"individual": {"reference": f"Practitioner/{clinician}"}}]
    return encounter(name, period=period, participant=participants, **{"class": {"code": kind}})


def order(name: str, when: str, what: str, clinician: str) -> Json:
    requester = {"reference": f"Practitioner/{clinician}"}
    link = {"encounter": {"reference": "Encounter/e1"}} if clinician == "d1" else {}
    drug = {"medicationCodeableConcept": {"text": what}}
    return {**quinine(when, requester=requester, **link, **drug), "id": name}


@pytest.mark.parametrize("at", ["encounters", "orders"])
def test_rates_are_per_local_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    source = write(
        tmp_path / "in",
        patient(),
        cramps(),
        visit("e1", "2026-03-10T15:00:00-07:00", None, "AMB", "d1"),
        visit("e2", "2026-03-10T17:30:00-07:00", None, "AMB", "d1"),
        visit("i1", "2026-03-12T12:00:00-07:00", "2026-03-15T00:00:00-07:00", "IMP", "d2"),
        visit("old", "2025-03-12T12:00:00-07:00", None, "AMB", "d2"),
        order("o1", "2026-03-10T15:10:00-07:00", "quinine sulfate 300 MG Oral Tablet", "d1"),
        order("o2", "2026-03-10T17:40:00-07:00", "amoxicillin 500 MG Oral Capsule", "d1"),
        order("o3", "2026-03-13T12:00:00-07:00", "amoxicillin 500 MG Oral Capsule", "d3"),
    )
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()
    try:
        summary = outcome(source, tmp_path / "out", at=at, start="2026-03-01")
    finally:
        monkeypatch.undo()
        time.tzset()
    orders = at == "orders"
    assert summary["counts"]["calls"] == (1 if orders else 3)
    assert {rate["denominator"]: rate["of"] for rate in summary["rates"]} == {
        "per 100 encounters": 3,
        "per inpatient-day": 2.5,
        "per 100 orders": 3 if orders else 0,
        "per clinician-day": 2,
    }
    if orders:  # one critical card on quinine
        assert [rate["cards"] for rate in summary["rates"]] == [33.3333, 0.0, 33.3333, 0.5]
    assert summary["counts"]["first"] == "2026-03-10"


def test_published_rates_have_the_same_units_as_ours() -> None:
    assert PUBLISHED == {  # 0.06 to 0.76 for each encounter
        "per 100 encounters": (6, 76),
        "per inpatient-day": (0.22, 1.06),
        "per 100 orders": (0.98, 17.42),
        "per clinician-day": (0.08, 3.34),
    }


def test_limits_without_data_are_not_a_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text("[population.limits]\ncards_per_100_encounters = 500\n")
    monkeypatch.setenv("CDS_SITES", str(sites))
    command = ["population", str(export(tmp_path / "in")), "--workers", "1", "--partitions", "1"]

    result = CliRunner().invoke(
        main, [*command, "--out", str(tmp_path / "a"), "--from", "2030-01-01"]
    )
    assert result.exit_code == 3
    assert "cannot tell: cards_per_100_encounters: nothing to count" in result.stderr


def test_review_sheets_are_also_drawn_when_nothing_fired(tmp_path: Path) -> None:
    person = patient("p9", born="2001-01-01")
    summary = outcome(
        write(tmp_path / "in", person, encounter(of="p9")), tmp_path / "out", sample=4,
        at="2026-03-10",
    )  # fmt: skip
    fired = {row["rule"] for row in summary["evaluations"] if row["answer"] == "fired"}
    rows = list(read_csv(tmp_path / "out" / "sample.csv"))
    assert len(rows) == 4
    assert {row["rule"] for row in rows} - fired


SHEET = "sheet,rule,time,patient,should_fire,comment\n001,r,t,p,{},\n002,r,t,p,{},\n"


@pytest.mark.parametrize(
    ("sheets", "message"),
    [
        ([""], "no rows"),
        ([SHEET.partition("\n")[0] + "\n"], "no rows"),
        (["sheet,rule\n001,r\n"], "no column should_fire"),
        ([SHEET.format("", "") + "001,r,t,p,yes,\n"], "listed twice"),
        (["\0"], "no rows|cannot be read"),
        ([SHEET] * 3, "one or two readers"),
    ],
)
def test_a_malformed_sheet_is_named(tmp_path: Path, sheets: list[str], message: str) -> None:
    (tmp_path / "sample-key.csv").write_text("sheet,rule,answer,because\n001,r,fired,\n002,r,no,\n")
    paths = [tmp_path / f"{number}.csv" for number in range(len(sheets))]
    for path, text in zip(paths, sheets, strict=True):
        path.write_text(text)
    with pytest.raises(BadRequest, match=message):
        score(tmp_path, paths)
    paths[0].write_text(SHEET.format("yes", "unclear"))
    assert score(tmp_path, paths[:1])["readers"][str(paths[0])]["unanswered"] == 1
    with pytest.raises(BadRequest, match="one or two readers"):
        score(tmp_path, [paths[0], paths[0]])


def test_a_sheet_shows_the_qualifiers_of_a_value(tmp_path: Path) -> None:
    low = potassium(
        3.1,
        "2026-03-01T23:30:00-05:00",
        note=[{"text": "sample haemolysed"}],
        interpretation=[{"coding": [{"code": "LL"}]}],
        status="preliminary",
    )
    low["valueQuantity"]["comparator"] = "<"
    pressure = {
        **potassium(1, "2026-03-02T08:00:00Z", name="bp"),
        "code": {"text": "Pressure"},
        "component": [{"code": {"text": "Systolic"}, "valueInteger": 95}],
    }
    del pressure["valueQuantity"]
    dose = quinine(
        dosageInstruction=[{"text": "one at night"}],
        reasonCode=[{"text": "cramps"}],
        contained=[fhir.product("Quinine", "c")],
        medicationCodeableConcept=None,
        medicationReference={"reference": "#c"},
    )
    provisional = cramps(
        id="dx",
        code={"text": "cirrhosis"},
        verificationStatus={"coding": [{"code": "provisional"}]},
    )
    outcome(
        write(tmp_path / "in", patient(), encounter(), cramps(), low, pressure, dose, provisional),
        tmp_path / "out",
        sample=1,
    )

    sheet = (tmp_path / "out/sample/001.html").read_text()
    drawn_at = datetime.fromisoformat("2026-03-01T23:30:00-05:00").astimezone()
    assert f"{drawn_at:%Y-%m-%d %H:%M}" in sheet
    assert "&lt; 3.1 mmol/L; preliminary; reported as LL; sample haemolysed" in sheet
    assert "Systolic: 95" in sheet
    assert "Quinine<td>active; cramps; one at night" in sheet.replace("</td>", "")
    assert "active, provisional" in sheet


@thorough
def test_partitions_and_workers_do_not_change_the_result(tmp_path: Path) -> None:
    source = export(tmp_path / "in")
    first = outcome(source, tmp_path / "a", identified=True, partitions=3)
    second = outcome(source, tmp_path / "b", identified=True, partitions=1)
    third = outcome(source, tmp_path / "c", identified=True, partitions=16, workers=2)

    assert first["evaluations"] == second["evaluations"] == third["evaluations"]


RACE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"


def test_subgroups_by_an_extension_that_the_site_names(tmp_path: Path) -> None:
    sites = tmp_path / "sites.toml"
    sites.write_text(f'[population.subgroups]\nrace = "{RACE}"\nvip = "urn:vip"\n')
    omb = {"url": "ombCategory", "valueCoding": {"code": "2054-5", "display": "Black"}}
    words = {"url": "text", "valueString": "Black or African American"}
    source = export(tmp_path / "in", ("p2", "p3"))
    write(
        source,
        patient("p1", extension=[{"url": RACE, "extension": [omb, words]}]),
        encounter("e-p1"),
        cramps(),
        patient("p4", extension=[{"url": "urn:vip", "valueBoolean": True}]),
        encounter("e-p4", of="p4"),
    )

    summary = outcome(source, tmp_path / "out", Settings(sites=str(sites)))
    counted = {
        (group["group"], group["value"]): group["patients"] for group in summary["subgroups"]
    }
    assert counted["race", "Black or African American"] == 1
    assert counted["race", "unknown"] == 3
    assert counted["vip", "yes"] == 1
    assert counted["sex", "female"] == 4
    with_card = {group["value"]: group["with_card"] for group in summary["subgroups"]}
    assert with_card["Black or African American"] == 1


def test_data_quality_is_ranked_by_what_a_correction_would_change(tmp_path: Path) -> None:
    source = export(tmp_path / "in", tuple(f"p{number}" for number in range(1, 9)))
    for name, more in (("x1", {"valueQuantity": {"value": 3.0}}), ("x2", {})):
        result = potassium(3.0, "2026-03-01T08:00:00Z", name=f"k-{name}", of=name, **more)
        if not more:
            result["code"] = {"text": "something"}
        write(source, patient(name), encounter(f"e-{name}", of=name), cramps(of=name), result)

    ranked = outcome(source, tmp_path / "out")["data_quality"]
    assert [each["would_fire"] for each in ranked] == sorted(
        (each["would_fire"] for each in ranked), reverse=True
    )
    no_unit = next(each for each in ranked if "no unit" in each["reason"])
    assert "low-potassium" in no_unit["rules"]
    assert 0 < no_unit["alone"] <= no_unit["answers"]
    # One of the eight whose potassium could be read had a low one.
    share = no_unit["would_fire"] / sum(rule == "low-potassium" for rule in no_unit["rules"])
    assert 0 < share < no_unit["alone"]


def test_a_sheet_shows_the_order_that_is_placed_and_drugs_by_name(tmp_path: Path) -> None:
    drug = fhir.product("quinine sulfate 300 MG", "m1")
    request = {**quinine(), "medicationReference": {"reference": "Medication/m1"}}
    del request["medicationCodeableConcept"]
    earlier = {**request, "id": "before", "authoredOn": "2026-01-20T08:00:00Z", "status": "active"}
    source = write(tmp_path / "in", patient(), cramps(), request, earlier, drug)

    outcome(source, tmp_path / "out", at="orders", sample=2, start="2026-02-01")
    for row in read_csv(tmp_path / "out" / "sample.csv"):
        sheet = (tmp_path / "out" / "sample" / f"{row['sheet']}.html").read_text()
        assert "Order being placed: <b>quinine sulfate 300 MG</b>" in sheet
        assert sheet.count("<td>quinine sulfate 300 MG</td>") == 1


@pytest.mark.parametrize(
    "content", [b"\x00\xff junk", b"", "{}".encode("utf-16"), b'{"resourceType": "Location"}']
)
def test_an_export_without_any_patient_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "a.ndjson").write_bytes(content)
    with pytest.raises(BadRequest, match="has no resources of patients"):
        run(RunOptions(source=str(source), out=tmp_path / "out", workers=1), Settings(), quiet)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["much", "1MB", "-4GB", "4 XB"])
def test_a_size_that_cannot_be_used_is_named(tmp_path: Path, size: str) -> None:
    command = ["population", str(export(tmp_path / "in")), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [*command, "--memory", size])
    assert result.exit_code == 1
    assert size in result.stderr
    assert not (tmp_path / "out").exists()


def test_help_shows_the_options_and_scores_are_printed(tmp_path: Path) -> None:
    assert "--resume" in CliRunner().invoke(main, ["population", "--help"]).output

    outcome(export(tmp_path / "in"), tmp_path / "out", sample=2)
    sheet = str(tmp_path / "out" / "sample.csv")
    result = CliRunner().invoke(main, ["population", "score", str(tmp_path / "out"), sheet])
    assert result.exit_code == 0
    assert '"sheets": 2' in result.output
    with pytest.raises(BadRequest, match="Only --engine spark"):
        outcome(Path("s3a:/bucket/x"), tmp_path / "other")


@pytest.mark.parametrize(("at", "hook"), [("orders", "patient-view"), ("encounters", "order-sign")])
def test_a_hook_of_other_moments_is_refused_with_those_that_fit(at: str, hook: str) -> None:
    options = RunOptions(source="in", out=Path("out"), at=at, hook=hook)
    fitting = "order-select or order-sign with --at orders, and patient-view otherwise"
    with pytest.raises(BadRequest, match=f"{hook} cannot be used with --at {at}") as refused:
        plan_of(options, Settings(), b"key")
    assert refused.value.fix == f"Use {fitting}."
