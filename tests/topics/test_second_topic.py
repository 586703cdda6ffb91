"""A second topic is installed next to the service without any change to the service."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.commands.lacking import lacking
from cds_service.commands.undeclared import undeclared_in
from cds_service.core.facts import Kind
from cds_service.core.times import days
from cds_service.demo.fixtures import fixture_patients, offered_orders
from cds_service.engine.rule import results
from cds_service.errors import StartupError
from tests.testing import fhir, programs

HERE = Path(__file__).parent / "hyponatraemia"
SODIUM = fhir.collection(
    fhir.patient("p"), fhir.lab("2951-2", 119, "mmol/L", "2026-11-20T08:00:00Z", of="p", id="na")
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, installed into a folder of its own without using the network."""
    folder = tmp_path_factory.mktemp("topic")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--target", str(folder), str(HERE)),
        ],
        check=True,
        capture_output=True,
    )
    return folder


def printed(installed: Path, *words: str, **settings: str) -> str:
    """What ``cds-service`` prints with the topic installed."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    environ |= {"PYTHONPATH": str(installed), **settings}
    process = programs.run_program("cds_service", *words, folder=installed, environ=environ)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_its_rule_is_listed_with_the_others_and_on_its_own(installed: Path) -> None:
    both = {rule["id"] for rule in json.loads(printed(installed, "rules", "--json"))["rules"]}
    assert {"severe-hyponatraemia", "quinine-active"} < both
    alone = json.loads(printed(installed, "rules", "--json", CDS_TOPICS="hyponatraemia"))["rules"]
    assert [rule["id"] for rule in alone] == ["severe-hyponatraemia", "hyponatraemia-not-checked"]


def test_both_topics_return_their_cards(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(SODIUM), encoding="utf-8")
    output = printed(
        installed,
        *("evaluate", str(file), "--as-of", "2026-11-23", "--json"),
        CDS_TOPICS="hyponatraemia",
    )
    (card,) = json.loads(output)["cards"]
    assert card["source"]["topic"]["code"] == "severe-hyponatraemia"
    assert card["summary"] == "Severe hyponatraemia: 119 mmol/L. Assess today"
    assert [suggestion["label"] for suggestion in card["suggestions"]] == ["Order: Sodium, serum"]
    assert "limit 125 mmol/L" in card["detail"]


def test_a_record_is_evaluated_by_every_topic(installed: Path, tmp_path: Path) -> None:
    file, potassium = tmp_path / "patient.json", fhir.lab("2823-3", 2.3, of="p", id="k")
    potassium["effectiveDateTime"] = "2026-11-20T08:00:00Z"
    entries = [*SODIUM["entry"], {"resource": potassium}]
    file.write_text(json.dumps({**SODIUM, "entry": entries}), encoding="utf-8")
    words = (str(file), "--as-of", "2026-11-23", "--json")
    cards = json.loads(printed(installed, "evaluate", *words))["cards"]
    rules = [card["source"]["topic"]["code"] for card in cards]
    assert rules[:2] == ["severe-hyponatraemia", "low-potassium"]
    trace = json.loads(printed(installed, "explain", *words))
    outcomes = {one["rule"]: one["answer"] for one in trace["rules"]}
    assert (outcomes["severe-hyponatraemia"], outcomes["low-potassium"]) == ("fired", "fired")
    kinds = [one["kind"] for one in trace["data"]]
    assert len(kinds) == len(set(kinds))
    text = printed(installed, "explain", *words[:-1])
    assert "severe-hyponatraemia" in text and "low-potassium" in text

    healthy = fhir.collection(fhir.patient("p"))
    file.write_text(json.dumps(healthy), encoding="utf-8")
    text = printed(installed, "evaluate", *words[:-1])
    assert "hyponatraemia-patient-view: No cards" in text
    assert "leg-cramps-patient-view: No cards" in text


def test_the_command_line_answers_as_the_default_site_would(
    installed: Path, tmp_path: Path
) -> None:
    file, sites = tmp_path / "patient.json", tmp_path / "sites.toml"
    file.write_text(json.dumps(SODIUM), encoding="utf-8")
    sites.write_text('[site.default]\ntopics = ["leg-cramps"]\n', encoding="utf-8")
    words = (str(file), "--as-of", "2026-11-23", "--json")
    cards = json.loads(printed(installed, "evaluate", *words, CDS_SITES=str(sites)))["cards"]
    assert [card["source"]["topic"]["code"] for card in cards] == ["metabolic-cause-found"]
    trace = json.loads(printed(installed, "explain", *words, CDS_SITES=str(sites)))
    assert "severe-hyponatraemia" not in [one["rule"] for one in trace["rules"]]


def test_a_service_that_has_nothing_to_answer_from_hides_no_card(
    installed: Path, tmp_path: Path
) -> None:
    quinine = fhir.prescription("Quinine sulfate 324 MG Oral Capsule", of="p")
    # The second topic, which is asked first, reads no medications.
    call = fhir.call("patient-view", {"medicationRequests": fhir.collection(quinine)}, of="p")
    file = tmp_path / "call.json"
    file.write_text(json.dumps(call), encoding="utf-8")
    cards = json.loads(printed(installed, "evaluate", str(file), "--json"))["cards"]
    assert cards[0]["source"]["topic"]["code"] == "quinine-active"
    call["prefetch"] = {}
    file.write_text(json.dumps(call), encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    refused = programs.run_program(
        "cds_service", "evaluate", str(file), folder=installed, environ=environ
    )
    assert refused.returncode == 1
    assert "None of the data" in refused.stderr


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_request_for_a_hook_that_no_topic_served_has_names_those_they_have(
    installed: Path, tmp_path: Path, hook: str
) -> None:
    file = tmp_path / "call.json"
    environ = {**os.environ, "PYTHONPATH": str(installed), "CDS_TOPICS": "hyponatraemia"}
    for content, words in ((fhir.call(hook, {}, of="p"), ()), (SODIUM, ("--hook", hook))):
        file.write_text(json.dumps(content), encoding="utf-8")
        refused = programs.run_program(
            "cds_service", "evaluate", str(file), *words, folder=installed, environ=environ
        )
        assert refused.returncode == 1
        assert f"is for {hook}. Use one of their hooks: patient-view." in refused.stderr


def test_discovery_lists_its_service_with_its_prefetch(installed: Path) -> None:
    script = (
        "import json; from cds_service.app import create_app; "
        "from cds_service.settings import Settings; "
        "app = create_app(Settings(database_url='sqlite:///t.db'), start=False); "
        "print(json.dumps(app.test_client().get('/cds-services').get_json()))"
    )
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    process = programs.run_program("-c", script, folder=installed, environ=environ)
    assert process.returncode == 0, process.stderr
    services = {service["id"]: service for service in json.loads(process.stdout)["services"]}
    assert {"hyponatraemia-patient-view", "leg-cramps-patient-view"} < set(services)
    assert "2951-2" in services["hyponatraemia-patient-view"]["prefetch"]["results"]


def test_its_rule_has_a_page_and_its_patient_is_on_the_demo_page(installed: Path) -> None:
    script = (
        "import json; from cds_service.app import create_app; "
        "from cds_service.settings import Settings; "
        "app = create_app(Settings(database_url='sqlite:///d.db', demo=True)).test_client(); "
        "answer = app.post('/demo/answer', json={'patient': 'severe-hyponatraemia', "
        "'hook': 'patient-view'}); "
        "cramps = app.post('/demo/answer', json={'patient': 'low-magnesium'}); "
        "chosen = app.post('/demo/answer', json={'patient': 'low-magnesium', "
        "'topic': 'hyponatraemia', 'states': {'allergies': 'null'}}); "
        "refused = app.post('/demo/answer', json={'patient': 'low-magnesium', "
        "'topic': 'hyponatraemia', 'hook': 'order-select'}); "
        "print(json.dumps([refused.text, app.get('/rules/severe-hyponatraemia').text, "
        "app.get('/').text, "
        "app.get('/rules/nothing').status_code, *([one.json['service'], "
        "[card['source']['topic']['code'] for card in one.json['response']['cards']]] "
        "for one in (answer, cramps, chosen))]))"
    )
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    process = programs.run_program("-c", script, folder=installed, environ=environ)
    assert process.returncode == 0, process.stderr
    refused, page, demo, unknown, *answers = json.loads(process.stdout)
    assert "The topic hyponatraemia has no service for order-select." in refused
    for text in ("Severe hyponatraemia", "A sodium below the limit", "125 mmol/L", "serum_sodium"):
        assert text in page
    assert "A judgement of the test topic." in page
    assert "A sodium of 119 mmol/L three days ago." in demo
    # Each patient is sent to a service of the topic that brought it.
    assert answers == [
        ["hyponatraemia-patient-view", ["severe-hyponatraemia"]],
        ["leg-cramps-patient-view", ["low-magnesium"]],
        ["hyponatraemia-patient-view", []],  # another topic was chosen, which asks for no allergies
    ]
    assert '<option value="leg-cramps">Leg cramps</option>' in demo
    assert unknown == 404


def texts_at(installed: Path, *addresses: str, topics: str) -> list[str]:
    """What a service of ``topics`` answers at each address."""
    script = (
        "import json, sys; from cds_service.app import create_app; "
        "from cds_service.settings import read_settings; "
        "app = create_app(read_settings(database_url='sqlite:///n.db', demo=True)); "
        "client = app.test_client(); "
        "print(json.dumps([client.get(path).text for path in sys.argv[1:]]))"
    )
    environ = {**os.environ, "PYTHONPATH": str(installed), "CDS_TOPICS": topics}
    process = programs.run_program("-c", script, *addresses, folder=installed, environ=environ)
    assert process.returncode == 0, process.stderr
    pages: list[str] = json.loads(process.stdout)
    return pages


@pytest.mark.parametrize(
    ("topics", "title", "purposes"),
    [
        ("leg-cramps", "Leg cramps", "the workup and management of leg cramps"),
        ("hyponatraemia", "Hyponatraemia", "Hyponatraemia"),
        (
            "leg-cramps,hyponatraemia",
            "Leg cramps, Hyponatraemia",
            "the workup and management of leg cramps and Hyponatraemia",
        ),
    ],
)
def test_pages_and_documents_are_titled_by_the_topics_served(
    installed: Path, topics: str, title: str, purposes: str
) -> None:
    page, report, openapi = texts_at(installed, "/", "/report", "/openapi.json", topics=topics)
    assert f"<title>{title}: decision support, live</title>" in page
    assert f'<h1 class="hidden">{title}: decision support, live</h1>' in page
    assert f'<p class="name">{title} <span>CDS Hooks service</span></p>' in page
    assert ('value="order-sign"' in page) is ("leg-cramps" in topics)  # the hooks served
    assert f"<title>{title}: feedback report</title>" in report
    info = json.loads(openapi)["info"]
    assert info["title"] == f"{title}: CDS Hooks service"
    assert info["description"] == f"CDS Hooks 2.0.1 services for {purposes}."


def test_a_service_of_the_second_topic_alone_says_nothing_of_the_first(installed: Path) -> None:
    pages = texts_at(
        installed, "/", "/report", "/openapi.json", "/cds-services", topics="hyponatraemia"
    )
    for page in pages:
        # The addresses of schemas have the name of the package.
        assert "cramp" not in page.replace("leg-cramps-cds.example", "").casefold()
        assert "quinine" not in page
    listed = printed(installed, "rules", CDS_TOPICS="hyponatraemia")
    assert "cramp" not in listed


def test_the_page_of_its_rule_shows_the_limit_in_force(installed: Path, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text('["serum_sodium.severe"]\nvalue = "120"\nunit = "mmol/L"\n', encoding="utf-8")
    script = (
        "from cds_service.app import create_app; from cds_service.settings import Settings; "
        f"settings = Settings(database_url='sqlite:///l.db', demo=True, limits={str(limits)!r}); "
        "print(create_app(settings).test_client().get('/rules/severe-hyponatraemia').text)"
    )
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    process = programs.run_program("-c", script, folder=installed, environ=environ)
    assert process.returncode == 0, process.stderr
    assert "<td>120 mmol/L (default 125 mmol/L)</td>" in process.stdout
    assert "Limit at this site: 120 mmol/L (default 125 mmol/L)" in process.stdout


def test_a_rule_that_is_not_served_has_no_page(installed: Path) -> None:
    addresses = ("/rules/severe-hyponatraemia", "/rules/quinine-active")
    page, other = texts_at(installed, *addresses, topics="hyponatraemia")
    assert "A sodium below the limit" in page
    assert "No rule has this id." in other and "malaria" not in other


def test_two_patients_of_one_name_refuse_the_start() -> None:
    folder = HERE / "hyponatraemia" / "patients"
    assert fixture_patients({"a": folder})["severe-hyponatraemia"].topic == "a"
    with pytest.raises(StartupError, match="is called severe-hyponatraemia"):
        fixture_patients({"a": folder, "b": folder})


@pytest.mark.parametrize("index", ["{", "[1]", '[{"name": "x"}]', "7"])
def test_an_invalid_index_of_patients_is_named(tmp_path: Path, index: str) -> None:
    (tmp_path / "index.json").write_text(index)
    with pytest.raises(StartupError, match=r"index\.json: .* is missing or wrong"):
        fixture_patients({"a": tmp_path})


@pytest.mark.parametrize(
    "orders", ["{", "[1]", '[{"key": "x"}]', "7", '[{"group": "", "key": ""}]']
)
def test_an_invalid_list_of_orders_is_named(tmp_path: Path, orders: str) -> None:
    (tmp_path / "orders.json").write_text(orders)
    with pytest.raises(StartupError, match=r"orders\.json: .* is missing or wrong"):
        offered_orders([tmp_path])


def test_topics_may_offer_the_same_order_but_not_another_with_its_key(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c", "without")]
    for folder, label in zip(folders, ("Sodium", "Sodium", "Calcium", ""), strict=True):
        folder.mkdir()
        order = {"group": "Tests", "key": "test", "label": label, "resource": {}}
        if label:
            (folder / "orders.json").write_text(json.dumps([order]))
    assert [order["label"] for order in offered_orders([*folders[:2], folders[3]])] == ["Sodium"]
    with pytest.raises(StartupError, match="another order of the demo page has the key test"):
        offered_orders(folders)


def test_its_own_setting_comes_from_the_environment_and_from_a_site(
    installed: Path, tmp_path: Path
) -> None:
    file, sites = tmp_path / "patient.json", tmp_path / "sites.toml"
    file.write_text(json.dumps(SODIUM), encoding="utf-8")
    arguments = ("evaluate", str(file), "--as-of", "2026-11-23", "--json")
    meq = printed(installed, *arguments, CDS_TOPICS="hyponatraemia", CDS_SODIUM_UNIT="meq")
    assert json.loads(meq)["cards"][0]["summary"].startswith("Severe hyponatraemia: 119 mEq/L")
    sites.write_text('[site.default]\nsodium_unit = "meq"\n', encoding="utf-8")
    by_site = printed(installed, *arguments, CDS_TOPICS="hyponatraemia", CDS_SITES=str(sites))
    assert json.loads(by_site)["cards"][0]["summary"] == json.loads(meq)["cards"][0]["summary"]
    settings = json.loads(printed(installed, "settings", "--json"))["settings"]
    defaults = {setting["variable"]: setting["default"] for setting in settings}
    assert (defaults["CDS_SODIUM_UNIT"], defaults["CDS_CRAMPS"]) == ("mmol", "documented")
    environ = {**os.environ, "PYTHONPATH": str(installed), "CDS_SODIUM_UNIT": "pints"}
    refused = programs.run_program("cds_service", *arguments, folder=installed, environ=environ)
    assert refused.returncode == 1
    assert "CDS_SODIUM_UNIT: Input should be 'mmol' or 'meq'." in refused.stderr


UNDECLARED: dict[str, tuple[dict[str, Any], str]] = {
    "a hazard": ({"check": lambda facts: facts.hazards("cirrhosis")}, "reads cirrhosis from"),
    "a draft": ({"check": lambda facts: facts.drafted("quinine")}, "reads quinine from"),
    "the drafts": ({"check": lambda facts: facts.drafts.medications}, "medications of the drafts"),
    "the list": ({"check": lambda facts: facts.record.conditions}, "reads record itself"),
    "the age": ({"check": lambda facts: facts.age}, "reads age, which no need declares"),
    "the sex": (
        {"check": lambda facts: facts.patient.sex},
        "reads patient, which no need declares",
    ),
    "an arrival": (
        {"check": lambda facts: facts.could_be_read(Kind.CONDITIONS)},
        "reads what could be read from conditions",
    ),
    "problems": ({"check": lambda facts: facts.problems()}, "reads all problems"),
    "another limit": (
        {"check": lambda facts: facts.site.limits["potassium.low"]},
        "uses the limit potassium.low",
    ),
    "an option of another topic": (
        {"check": lambda facts: facts.site.options["cramps"]},
        "reads the option cramps of another topic",
    ),
    "an older result": ({"needs": (results("serum_sodium", days(1)),)}, "of the last 30 days"),
    "an order": ({"offers": ()}, "offers serum_sodium"),
}


@pytest.mark.parametrize("what", [None, *UNDECLARED])
def test_its_rule_is_refused_what_it_does_not_declare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str | None
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    topic = importlib.import_module("hyponatraemia").TOPIC
    scenario = tmp_path / "severe"
    scenario.mkdir()
    request = fhir.call("patient-view", {"results": SODIUM}, of="p")
    (scenario / "request.json").write_text(json.dumps(request), encoding="utf-8")
    expected = {"as_of": "2026-11-23T12:00:00+00:00", "cards": []}
    (scenario / "expected.json").write_text(json.dumps(expected), encoding="utf-8")
    changes, sentence = UNDECLARED[what] if what else ({}, "")

    (service,) = topic.services
    rule = replace(service.rules[0], **changes)
    topic = replace(topic, services=(replace(service, rules=(rule,)),))
    found = list(undeclared_in(topic, tmp_path))

    assert [rule_id for rule_id, _ in found] == (["severe-hyponatraemia"] if what else [])
    assert all(sentence in said for _, said in found)


def test_the_rule_about_what_was_not_checked_needs_no_reason_or_cases_of_the_topic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(HERE))
    topic = importlib.import_module("hyponatraemia").TOPIC
    said = list(lacking(topic, date(2026, 11, 28), HERE / "hyponatraemia"))
    assert len(said) == 3  # a reason, cases and a scenario
    assert all("rule severe-hyponatraemia: " in sentence for sentence in said)


def test_a_contradiction_between_topics_refuses_the_start() -> None:
    sys.path.insert(0, str(HERE))
    try:
        import hyponatraemia

        from cds_service.core.knowledge import KnowledgeError
        from cds_service.engine.checking import check_topics
        from hooks import TOPIC

        check_topics([TOPIC, hyponatraemia.TOPIC])
        known = hyponatraemia.TOPIC.knowledge
        potassium = replace(hyponatraemia.SODIUM, key="potassium")
        wrong = replace(
            hyponatraemia.TOPIC,
            knowledge=replace(known, analytes={**known.analytes, "potassium": potassium}),
        )
        with pytest.raises(KnowledgeError, match="potassium"):
            check_topics([TOPIC, wrong])
    finally:
        sys.path.remove(str(HERE))
