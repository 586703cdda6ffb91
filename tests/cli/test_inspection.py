"""``cds-service check``: what refuses a start, and what is missing, all at once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.commands.inspection import lacking
from cds_service.core.knowledge import Limit, Limits, Reference
from cds_service.core.times import days
from cds_service.engine.orderables import Orderable
from cds_service.engine.rule import conditions, medications, results
from hooks import TOPIC
from tests.cli.conftest import ROOT, Command, patient

TODAY = date(2026, 11, 27)
SAMPLES = ROOT / "deploy" / "sites"
RULE = next(rule for rule in TOPIC.rules if rule.id == "low-magnesium")


def test_nothing_is_wrong_with_the_program_as_it_is(cds: Command) -> None:
    ran = cds("check")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith("Nothing is wrong or missing: ")
    assert ran.out.endswith(" rules, 1 site, 0 clients.\n")
    assert list(lacking(TOPIC, TODAY)) == []


def test_nothing_is_wrong_with_the_sample_sites(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_SITES", str(SAMPLES / "sites.toml"))
    monkeypatch.setenv("CDS_TRUSTED_CLIENTS", str(SAMPLES / "clients.json"))
    ran = cds("check", "--host", "0.0.0.0")
    assert (ran.status, ran.err) == (0, "")
    assert " 3 sites, 2 clients." in ran.out


def test_nothing_is_written(cds: Command, tmp_path: Path) -> None:
    cds("check")
    assert list(tmp_path.iterdir()) == []


def test_every_fault_is_one_line(
    cds: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sites.toml").write_text(
        "[site.north]\noff = ['low-magnesum']\n"
        "[site.south]\nlimits = { 'magnesium.low' = { value = '75', unit = 'mmol/L' } }\n"
        "[site.east]\nprofile = 'epic'\noff = ['low-magnesium']\n"
        "[site.east.start]\n'low-magnesium' = 2026-12-01\n"
        "[site.west]\ntopics = []\n"
    )
    client = {"iss": "https://ehr.example", "jku": "https://ehr.example/jwks.json"}
    (tmp_path / "clients.json").write_text(
        json.dumps([client | {"tenant_sites": {"a": "north", "b": "east", "c": "nowhere"}}])
    )
    for name, value in {
        "CDS_SITES": "sites.toml",
        "CDS_TRUSTED_CLIENTS": "clients.json",
        "CDS_LIMTS": "x",
        "CDS_RULES_OFF": "nix",
        "CDS_FHIR_SERVERS": "http://evil.example",
        "CDS_AUDIT": "full",
        "CDS_DEMO": "1",
    }.items():
        monkeypatch.setenv(name, value)
    ran = cds("check", "--host", "0.0.0.0")
    assert ran.status == 1
    assert ran.out == ""
    said = ran.err.splitlines()
    expected = [
        "CDS_LIMTS is not a setting; did you mean CDS_LIMITS?",
        "let everybody use the demo page",
        "http://evil.example",
        "no rule is called nix",
        "CDS_SITES: site north: off: no rule is called low-magnesum",
        "CDS_SITES: site south: magnesium.low: 75 mmol/L is not plausible",
        "CDS_SITES: site east: start: low-magnesium is switched off there",
        "CDS_SITES: site east: profile epic: order_codes has no preference-list item for abi,",
        "CDS_SITES: site west: topics: it has none",
        "tenant_sites.c: no site is called nowhere",
        "CDS_SITES: site south: no client of CDS_TRUSTED_CLIENTS names it",
        "CDS_SITES: site west: no client of CDS_TRUSTED_CLIENTS names it",
        "CDS_AUDIT_KEY is not set",
    ]
    for one in expected:
        assert [line for line in said if one in line], one
    assert len(said) == len(expected), ran.err
    assert all(line.startswith("cds-service: ") for line in said)
    assert "CDS_SITES: site south: CDS_SITES" not in ran.err


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("CDS_SITES", "none.toml", "cannot be read"),
        ("CDS_TRUSTED_CLIENTS", "none.json", "none.json"),
        ("CDS_LIMITS", "none.toml", "none.toml"),
        ("CDS_ORDER_CODES", "none.json", "none.json"),
        ("CDS_TOPICS", "gout", "no topic is called gout"),
        ("CDS_DATABASE_URL", "mysql://x/y", "sqlite:///file.db"),
        ("CDS_MAX_INFO_CARDS", "many", "CDS_MAX_INFO_CARDS"),
        ("CDS_PREFETCH_WINDOWS", "1", "needs CDS_SPEC_VERSION=3.0"),
    ],
)
def test_what_refuses_the_start_is_said_once(
    cds: Command, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, said: str
) -> None:
    monkeypatch.setenv(setting, value)
    ran = cds("check")
    assert ran.status == 1
    (line,) = ran.err.splitlines()
    assert said in line


def test_what_a_topic_lacks_is_named() -> None:
    rule = replace(
        RULE,
        document=" ",
        changed="2026-11-28",
        needs=(results("unobtainium", days(3)), conditions("gout"), medications("elixir")),
        judges=frozenset({"elixir"}),
    )
    undated = replace(RULE, id="other", changed="yesterday")
    limit = Limit("x.low", Decimal(1), "", "nowhere", date(2027, 1, 1))
    knowledge = TOPIC.knowledge
    references = {"bare": Reference("bare", "", "", "trial", "")}
    flawed = replace(
        TOPIC,
        services=(replace(TOPIC.services[0], rules=(rule, undated)),),
        knowledge=replace(
            knowledge,
            limits=lambda _given, _where: Limits({"x.low": limit}),
            references=references,
            orderables={"o": Orderable("o", "", frozenset({"gold"}))},
            priorities=replace(knowledge.priorities, kinds={}),
        ),
    )
    assert list(lacking(flawed, TODAY)) == [
        "rule low-magnesium: its function has no docstring, which is its page.",
        "rule low-magnesium: changed: 2026-11-28 is in the future.",
        "rule low-magnesium: the analyte unobtainium has no code to search it by.",
        "rule low-magnesium: no code or name list of conditions knows gout.",
        "rule low-magnesium: no code or name list of medication requests knows elixir.",
        "rule low-magnesium: no code or name list of medications or orders knows elixir.",
        "rule other: changed: yesterday is not a date like 2026-11-27.",
        "limit x.low: it does not say what it means.",
        "limit x.low: it has no unit.",
        "limit x.low: its reference nowhere is not in the references.",
        "limit x.low: checked: 2027-01-01 is in the future.",
        "reference bare: it has no label.",
        "reference bare: it has no citation.",
        "reference bare: it has no address, though it is a source of its own.",
        "order o: it has no label.",
        "order o: it covers gold, which no list knows.",
    ]


def test_a_record_is_asked_with_the_settings_of_a_site(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_SITES", str(SAMPLES / "sites.toml"))
    words = (patient("low-magnesium"), "--as-of", "2026-11-23", "--site")
    assert "limit 0.75 mmol/L, set by this site" in " ".join(
        cds("evaluate", *words, "north").out.split()
    )
    assert "limit 0.65 mmol/L, set by this site" in " ".join(
        cds("evaluate", *words, "south").out.split()
    )
    assert cds("explain", *words, "south").status == 0
    ran = cds("evaluate", *words, "nowhere")
    assert ran.status == 1
    assert ran.err == (
        "cds-service: --site: no site is called nowhere. The sites are default, north, south.\n"
    )
