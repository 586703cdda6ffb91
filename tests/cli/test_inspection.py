"""``cds-service check``: everything that prevents a start or is missing, reported at once."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from cds_service.catalogue import topics
from cds_service.catalogue.topics import InstalledTopic
from cds_service.commands import inspection
from cds_service.commands.lacking import lacking
from cds_service.commands.undeclared import undeclared_in
from cds_service.core.knowledge import KnowledgeError, Limit, Limits, Reference
from cds_service.core.times import days
from cds_service.engine.arranging import Priority
from cds_service.engine.orderables import Orderable
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import Rule, conditions, medications, results
from cds_service.engine.topic import Topic
from cds_service.terminology.vocabulary import Vocabulary
from hooks import TOPIC
from tests.cli.conftest import ROOT, Command, patient

TODAY = date(2026, 11, 28)
SAMPLES = ROOT / "deploy" / "sites"
RULE = next(rule for rule in TOPIC.rules if rule.id == "low-magnesium")


def test_nothing_is_wrong_with_the_program_as_it_is(cds: Command) -> None:
    result = cds("check")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("Nothing is wrong or missing: ")
    assert result.out.endswith(" rules, 1 site, 0 clients.\n")
    assert list(lacking(TOPIC, TODAY)) == []


def test_nothing_is_wrong_with_the_sample_sites(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_SITES", str(SAMPLES / "sites.toml"))
    monkeypatch.setenv("CDS_TRUSTED_CLIENTS", str(SAMPLES / "clients.json"))
    result = cds("check", "--host", "0.0.0.0")
    assert (result.status, result.err) == (0, "")
    assert " 3 sites, 2 clients." in result.out


def test_nothing_is_written(cds: Command, tmp_path: Path) -> None:
    cds("check")
    assert list(tmp_path.iterdir()) == []


def test_every_fault_is_reported_in_one_line(
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
    result = cds("check", "--host", "0.0.0.0")
    assert result.status == 1
    assert result.out == ""
    lines = result.err.splitlines()
    expected = [
        "CDS_LIMTS is not a setting; did you mean CDS_LIMITS?",
        "let anybody use the demo page",
        "http://evil.example",
        "no rule is called nix",
        "CDS_SITES: site north: off: no rule is called low-magnesum",
        "CDS_SITES: site south: magnesium.low: 75 mmol/L is not plausible",
        "CDS_SITES: site east: start: low-magnesium is switched off at this site",
        "CDS_SITES: site east: profile epic: order_codes has no preference-list item for abi,",
        "CDS_SITES: site west: topics: the site has none",
        "tenant_sites.c: no site is called nowhere",
        "CDS_SITES: site south: no client of CDS_TRUSTED_CLIENTS names it",
        "CDS_SITES: site west: no client of CDS_TRUSTED_CLIENTS names it",
        "CDS_AUDIT_KEY is not set",
    ]
    for message in expected:
        assert [line for line in lines if message in line], message
    assert len(lines) == len(expected), result.err
    assert all(line.startswith("cds-service: ") for line in lines)
    assert "CDS_SITES: site south: CDS_SITES" not in result.err


@pytest.mark.parametrize(
    ("setting", "value", "message"),
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
def test_a_fault_that_refuses_the_start_is_reported_once(
    cds: Command, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, message: str
) -> None:
    monkeypatch.setenv(setting, value)
    result = cds("check")
    assert result.status == 1
    (line,) = result.err.splitlines()
    assert message in line


def with_rules(*rules: Rule, **knowledge: Any) -> Topic:
    """Leg cramps with other rules at the first of its services, and other knowledge."""
    services = (replace(TOPIC.services[0], rules=rules), *TOPIC.services[1:])
    return replace(TOPIC, services=services, knowledge=replace(TOPIC.knowledge, **knowledge))


def of_rule(rule: Rule, **knowledge: Any) -> list[str]:
    """What is missing for one rule; places are given relative to the package."""
    sentences = lacking(with_rules(rule, **knowledge), TODAY)
    return [
        sentence.removeprefix(f"rule {rule.id}: ")
        for sentence in sentences
        if f"rule {rule.id}: " in sentence
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"document": " "},
            "its function has no docstring, from which its page is made. Write one.",
        ),
        (
            {"changed": "2026-11-29"},
            "changed: 2026-11-29 is in the future. Write the day on which it was last changed.",
        ),
        (
            {"changed": "yesterday"},
            "changed: yesterday is not a day like 2026-11-27. Write year, month and day.",
        ),
        ({"version": "2"}, "version 2 is not like 1.0.0. Write three numbers with dots."),
        ({"title": ""}, "it has no title. Add title to its @rule."),
        (
            {"overrides": ("because",)},
            f"because is not a known override reason. Use one of {', '.join(OVERRIDES)}.",
        ),
        (
            {"needs": (results("zinc", days(3)),), "offers": ()},
            "analyte zinc is not in the analytes. Add to knowledge/analytes.toml: [zinc] with "
            "name, canonical, decimals, plausible and unit.",
        ),
        (
            {"needs": (conditions("gout"),), "offers": ()},
            "no code list or name list of conditions has gout. Add "
            "knowledge/codelists/conditions/gout.csv.",
        ),
        (
            {"needs": (medications("elixir"),), "offers": ()},
            "no code list or name list of medications has elixir. Add "
            "knowledge/codelists/medications/elixir.csv.",
        ),
        (
            {"judges": frozenset({"elixir"})},
            "no code list or name list of medications or orders has elixir. Add elixir.csv to "
            "knowledge/codelists/medications or knowledge/codelists/orders.",
        ),
        (
            {"limits": ("zinc.low",)},
            "limit zinc.low is not in the limits. Add to knowledge/limits.toml: "
            '["zinc.low"] with value, unit, reference, checked and meaning.',
        ),
        (
            {"references": ("hearsay",)},
            "reference hearsay is not in the references. Add to knowledge/references.toml: "
            "[hearsay] with label, citation and kind.",
        ),
        (
            {"offers": ("zinc",)},
            "order zinc is not in the orders. Add to knowledge/orders.toml: [zinc] with label, "
            "covers and codes.",
        ),
    ],
)
def test_everything_missing_for_a_rule_is_named_with_the_file_to_add_it_to(
    change: dict[str, Any], message: str
) -> None:
    never = "it never answers in leg-cramps-patient-view: it judges drafts, and there are none."
    found = of_rule(replace(RULE, **change))
    assert [one for one in found if not one.startswith(never)] == [message]
    assert len(found) == 1 + ("judges" in change)


def test_everything_missing_for_an_analyte_is_reported_at_once() -> None:
    bare = replace(TOPIC.knowledge.analytes["magnesium"], units={})
    unlisted = replace(TOPIC.knowledge.vocabularies, observations=Vocabulary((), ()))
    sentences = lacking(
        with_rules(
            RULE,
            analytes={"magnesium": bare},
            vocabularies=unlisted,
            codes=lambda _key: (),
        ),
        TODAY,
    )
    assert [sentence for sentence in sentences if sentence.startswith("analyte ")] == [
        "analyte magnesium: it has no code to search for. Add to [magnesium] in "
        'knowledge/analytes.toml: codes = [{ code = "…", display = "…", source = "…" }].',
        "analyte magnesium: it has no name, so a result without a code is not read. Add to "
        '[magnesium] in knowledge/analytes.toml: names = ["magnesium"].',
        "analyte magnesium: it has no unit, so no result is read. Add to [magnesium] in "
        "knowledge/analytes.toml: [[magnesium.unit]].",
    ]


def test_an_order_that_is_missing_belongs_into_the_block_of_its_analyte() -> None:
    without = {k: v for k, v in TOPIC.knowledge.orderables.items() if k != "magnesium"}
    assert of_rule(replace(RULE, offers=("magnesium",)), orderables=without) == [
        "order magnesium is not in the orders. Add to [magnesium] in knowledge/analytes.toml: "
        'order = "Magnesium".'
    ]


def test_missing_knowledge_is_named_with_what_to_add() -> None:
    limit = Limit("x.low", Decimal(1), "", "nowhere", date(2027, 1, 1))
    sentences = lacking(
        with_rules(
            RULE,
            limits=lambda _given, _where: Limits({"x.low": limit}),
            references={"bare": Reference("bare", "", "", "trial", "")},
            orderables={"o": Orderable("o", "", frozenset({"gold"}), ())},
            priorities=structs.replace(TOPIC.knowledge.priorities, kinds={"gone": Priority.HAZARD}),
        ),
        TODAY,
    )
    assert [sentence for sentence in sentences if not sentence.startswith("rule ")] == [
        'limit x.low: it has no meaning. Add to ["x.low"] in knowledge/limits.toml: meaning = "…".',
        'limit x.low: it has no unit. Add to ["x.low"] in knowledge/limits.toml: unit = "…" (the '
        'number 1 has the unit "1").',
        "limit x.low: its reference nowhere is not in the references. Add to "
        "knowledge/references.toml: [nowhere] with label, citation and kind.",
        'reference bare: it has no label. Add to [bare] in knowledge/references.toml: label = "…".',
        "reference bare: it has no citation. Add to [bare] in knowledge/references.toml: "
        'citation = "…".',
        "reference bare: it has no url, although it is a primary source. Add to [bare] in "
        'knowledge/references.toml: url = "https://…".',
        'order o: it has no label. Add to [o] in knowledge/orders.toml: label = "…".',
        "order o: it covers gold, which is not an analyte and is in no code list or name list of "
        "orders or medications. Add knowledge/codelists/orders/gold.csv, or remove gold from "
        "covers of [o] in knowledge/orders.toml.",
        "limit x.low: checked: 2027-01-01 is in the future. Write the day on which it was last "
        "checked.",
        "priorities: no rule of the topic is called gone. Add the rule to a service, or remove "
        "the priority.",
    ]


def test_for_a_topic_without_rules_it_says_how_to_add_one() -> None:
    sentences = list(lacking(replace(TOPIC, services=()), TODAY))
    assert sentences[0] == "it has no services. cds-service new-rule writes its first rule."


def test_in_a_checkout_rules_without_service_row_cases_or_scenario_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    first, *others = TOPIC.services[0].rules
    made_up = replace(first, id="made-up")
    sentences = list(lacking(with_rules(made_up, *others), TODAY, ROOT / "hooks"))
    place = "hooks/rules/low_magnesium.py:"
    for line, end in (
        (f"rule {first.id}: no service uses it. Add to RULES in hooks/patient_view.py or ",
         "low_magnesium."),
        ("rule made-up: nothing says why it exists. Add to [complement] in docs/traceability.toml",
         "that asks for it."),
        ("rule made-up: no file of tests/rules has a table of its cases. Add test_made_up.py",
         "."),
        ("rule made-up: no scenario shows its card. Add fixtures/scenarios/made-up/", "why.md."),
    ):  # fmt: skip
        (sentence,) = [each for each in sentences if line in each]
        assert sentence.startswith(place)
        assert sentence.removeprefix(place).split(":")[0].isdigit()
        assert sentence.endswith(end)
    # A rule that is merely not registered is not a reason to remove its row.
    assert not [sentence for sentence in sentences if "Remove it" in sentence]


SCENARIO = "fixtures/scenarios/low-magnesium"
FAR = results("magnesium", days(365))
NEAR = (
    results("magnesium", days(3)),
    *(need for need in RULE.needs if need.analyte != "magnesium"),
)
"""What low-magnesium needs, but its own result for three days only."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"needs": (results("potassium", days(90)),)}, "reads magnesium from results, which its"),
        ({"limits": ()}, "uses the limit magnesium.low, which it does not declare"),
        ({"offers": ()}, ", which it does not declare"),
        ({"overrides": ()}, "gives the override reason "),
        ({"check": lambda facts: facts.hazards("asthma")}, "reads asthma from conditions, which"),
        ({"check": lambda facts: facts.drafted("lithium")}, "reads lithium from medication"),
        ({"check": lambda facts: facts.record.medications}, "reads record itself instead of"),
        ({"check": lambda facts: facts.site.options["unit"]}, "reads the option unit of another"),
        (
            {"check": lambda facts: facts.age, "needs": (FAR,)},
            "reads age, which no need declares; add demographics() to its needs",
        ),
        ({"needs": NEAR}, "reads magnesium of the last 12 months, further back than its needs"),
        ({"check": lambda _facts: 1 / 0}, ": ZeroDivisionError: division by zero"),
    ],
)
def test_what_a_rule_does_in_a_scenario_without_declaring_it_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    shutil.copytree(ROOT / SCENARIO, tmp_path / "low-magnesium")
    undeclared = list(undeclared_in(with_rules(replace(RULE, **change)), tmp_path))
    assert undeclared
    for rule, sentence in undeclared:
        assert rule == "low-magnesium"
        assert sentence.startswith("rule low-magnesium")
        assert message in sentence
        assert sentence.endswith(" (in the scenario low-magnesium).")


def test_a_scenario_shows_nothing_where_all_is_declared_or_it_cannot_be_read(
    tmp_path: Path,
) -> None:
    shutil.copytree(ROOT / SCENARIO, tmp_path / "low-magnesium")
    shutil.copytree(ROOT / SCENARIO, tmp_path / "broken")
    shutil.copytree(ROOT / SCENARIO, tmp_path / "refused")
    (tmp_path / "broken" / "expected.json").write_text("{")
    (tmp_path / "refused" / "request.json").write_text("{}")
    assert list(undeclared_in(with_rules(RULE), tmp_path)) == []
    assert list(undeclared_in(replace(TOPIC, services=()), tmp_path)) == []


def test_a_scenario_without_its_request_is_named(tmp_path: Path) -> None:
    package = tmp_path / "hooks"
    (package / "rules").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / SCENARIO).mkdir(parents=True)
    shutil.copy(ROOT / SCENARIO / "expected.json", tmp_path / SCENARIO)
    sentences = [
        sentence
        for sentence in lacking(with_rules(RULE), TODAY, package)
        if "beside it" in sentence
    ]
    assert [sentence.partition("expected.json: ")[2] for sentence in sentences] == [
        "request.json is missing beside it.",
        "why.md is missing beside it.",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param("{", "it cannot be read: ", id="not JSON"),
        pytest.param("[]", "it is not a JSON object.", id="a list"),
        pytest.param("{}", "as_of is missing or is not a time.", id="no moment"),
        pytest.param('{"as_of": "yesterday"}', "as_of is missing or is not a time.", id="no time"),
        pytest.param(
            '{"as_of": "2026-11-23", "settings": []}', "settings is not a JSON", id="settings"
        ),
        pytest.param('{"as_of": "2026-11-23", "cards": [1]}', "cards is not a list", id="cards"),
    ],
)
def test_a_scenario_that_is_left_out_is_named(tmp_path: Path, content: str, fault: str) -> None:
    package = tmp_path / "hooks"
    (package / "rules").mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    shutil.copytree(ROOT / SCENARIO, tmp_path / SCENARIO)
    (tmp_path / SCENARIO / "expected.json").write_text(content)
    lacks = list(lacking(with_rules(RULE), TODAY, package))
    assert [lack for lack in lacks if f"expected.json: {fault}" in lack]


def test_a_file_that_is_first_read_by_the_check_is_named(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limits(*_: object) -> Limits:
        raise KnowledgeError("limits.toml: Invalid value (at end of document)")

    installed = {
        "leg-cramps": InstalledTopic(with_rules(RULE, limits=limits), "hooks", ROOT / "hooks")
    }
    for module in (inspection, topics):
        monkeypatch.setattr(module, "installed_topics", lambda *_: installed)
    result = cds("check")
    assert result.status == 1
    assert "topic leg-cramps: limits.toml: Invalid value (at end of document)." in result.err


def test_everything_missing_is_reported_in_one_line_and_never_as_a_traceback(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    flawed = with_rules(replace(RULE, limits=("zinc.low", "tin.low"), offers=("tin",)))
    installed = {"leg-cramps": InstalledTopic(flawed, "hooks", ROOT / "hooks")}
    for module in (inspection, topics):
        monkeypatch.setattr(module, "installed_topics", lambda *_: installed)
    result = cds("check")
    assert result.status == 1
    for message in ("limit zinc.low", "limit tin.low", "order tin"):
        assert len([line for line in result.err.splitlines() if message in line]) == 1


def test_every_contradiction_between_topics_is_reported(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = TOPIC.knowledge
    references = {**known.references}
    for key in ("article", "judgement"):
        references[key] = replace(references[key], label="Another label")
    services = tuple(replace(service, id=f"other-{service.id}") for service in TOPIC.services)
    first, *rules = services[0].rules
    flawed = replace(services[0], rules=(replace(first, title=""), *rules))
    other = replace(
        TOPIC,
        key="other",
        services=(flawed, *services[1:]),  # what is wrong elsewhere hides no contradiction
        knowledge=replace(known, references=references),
    )
    installed = {
        "leg-cramps": InstalledTopic(TOPIC, "hooks", ROOT / "none"),
        "other": InstalledTopic(other, "other", ROOT / "none"),
    }
    for module in (inspection, topics):
        monkeypatch.setattr(module, "installed_topics", lambda *_: installed)
    result = cds("check")
    assert result.status == 1
    lines = [line for line in result.err.splitlines() if "contradicts" in line]
    assert lines == [
        f"cds-service: topic other: reference {key} contradicts that of leg-cramps: label; make "
        "them equal, or use another key."
        for key in ("article", "judgement")
    ]
    monkeypatch.setenv("CDS_TOPICS", "leg-cramps")
    assert cds("check").status == 0


def test_the_error_of_a_topic_that_cannot_be_loaded_names_the_line(
    cds: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "faulty_topic.py").write_text("LIMITS = {}\nLOW = LIMITS['zinc.low']\n")
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint("faulty", "faulty_topic:TOPIC", topics.GROUP)
    monkeypatch.setattr(topics, "entry_points", lambda group: [entry])
    topics.found_topics.cache_clear()
    try:
        result = cds("check")
    finally:
        topics.found_topics.cache_clear()
    assert result.status == 1
    assert "the topic faulty cannot be loaded: KeyError: 'zinc.low'" in result.err
    assert "faulty_topic.py:2" in result.err


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs entry points: leg cramps, and ``faulty_topic.py`` with a text, under some names."""

    def install(text: str, *others: EntryPoint) -> None:
        (tmp_path / "faulty_topic.py").write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "faulty_topic", raising=False)
        found = [EntryPoint("leg-cramps", "hooks:TOPIC", topics.GROUP), *others]
        monkeypatch.setattr(topics, "entry_points", lambda group: found)
        topics.found_topics.cache_clear()

    yield install
    topics.found_topics.cache_clear()


FAULTY = EntryPoint("faulty", "faulty_topic:TOPIC", topics.GROUP)


def test_a_topic_whose_folder_was_removed_is_to_be_installed_again(
    cds: Command, entries: Callable[..., None]
) -> None:
    entries("", EntryPoint("gone", "gone_topic:TOPIC", topics.GROUP))
    result = cds("rules")
    assert result.status == 1
    assert "No module named 'gone_topic'. Install its package again, or remove it." in result.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 / 0", "the topic faulty cannot be loaded: ZeroDivisionError"),
        ("import no_such_module", "No module named 'no_such_module'. Install its package again"),
        (
            "\nimport faulty_topic.rules",
            "is not a package (",
        ),
        ("\n\nTOPIC = (", "faulty_topic.py:3). Correct that line"),
        ("\nfrom faulty_topic import RULES", "faulty_topic.py:2). Correct that line"),
        ("TOPIC = 3", "is not a Topic with that key"),
        (
            "from cds_service.terminology.codes import CodeError\nraise CodeError('No.', 'Look.')",
            "the topic faulty: No. Look. Correct its files.",
        ),
    ],
)
def test_a_topic_that_cannot_be_loaded_stops_only_a_service_that_needs_it(
    cds: Command,
    entries: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    message: str,
) -> None:
    entries(text, FAULTY)
    for served in ("", "faulty", "leg-cramps,faulty"):
        monkeypatch.setenv("CDS_TOPICS", served)
        for command in ("check", "rules"):
            result = cds(command)
            assert result.status == 1
            assert message in result.err
    monkeypatch.setenv("CDS_TOPICS", "leg-cramps")
    for command in ("check", "rules", "settings"):
        result = cds(command)
        assert (result.status, result.err) == (0, "")


def test_two_packages_with_a_topic_of_one_key_are_refused(
    cds: Command, entries: Callable[..., None]
) -> None:
    entries("from hooks import TOPIC", EntryPoint("leg-cramps", "hooks:TOPIC", topics.GROUP))
    assert cds("rules").status == 0  # one package, found twice
    entries("from hooks import TOPIC", EntryPoint("leg-cramps", "faulty_topic:TOPIC", topics.GROUP))
    result = cds("rules")
    assert result.status == 1
    assert "two installed packages have a topic leg-cramps: hooks:TOPIC and faulty_" in result.err


def test_a_misspelt_limit_of_a_population_is_named(
    cds: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sites.toml").write_text("[population.limits]\ncards_per_clinican_day = 3\n")
    monkeypatch.setenv("CDS_SITES", "sites.toml")
    result = cds("check")
    assert result.status == 1
    assert "population.limits.cards_per_clinican_day is not a limit" in result.err
    assert "cards_per_clinician_day" in result.err


def test_a_record_can_be_evaluated_with_the_settings_of_a_site(
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
    result = cds("evaluate", *words, "nowhere")
    assert result.status == 1
    assert result.err == (
        "cds-service: --site: no site is called nowhere. The sites are default, north, south.\n"
    )
