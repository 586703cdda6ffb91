"""The generated documents match what the code would write, and are complete."""

import importlib.util
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from hooks import order_select, patient_view
from tests.testing.given import Service, rules_by_service

ROOT = Path(__file__).resolve().parents[2]
RULES = (*patient_view.RULES, *order_select.RULES)


@cache
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs/generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_page_is_stale() -> None:
    assert generate().stale() == [], "run `python docs/generate.py`"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.id} {bool(rule.judges)}")
def test_every_rule_has_an_example_card(rule) -> None:
    assert rule in generate().examples()


CHART = """
low-magnesium low-potassium high-potassium low-ferritin anemia electrolytes-not-checked
ferritin-not-checked restless-legs-mimic cirrhosis-cramps quinine-active
magnesium-in-renal-impairment magnesium-not-indicated first-line-measures claudication-mimic
neuropathy-mimic diabetes-not-screened cramp-inducing-medication analgesic-use
specialist-referral data-not-usable
"""
ORDER = """
quinine-ordered magnesium-ordered-renal-impairment magnesium-ordered-normal-level
magnesium-ordered-level-unknown magnesium-ordered-dose potassium-ordered-hazard
baclofen-ordered-renal-impairment baclofen-ordered-encephalopathy baclofen-ordered-dose
albumin-ordered-without-cirrhosis dopaminergic-ordered-for-cramps analgesic-ordered-for-cramps
diuretic-ordered-with-cramps extensive-workup-ordered data-not-usable
"""


@pytest.mark.parametrize(
    ("service", "ids"), [(Service.PATIENT_VIEW, CHART), (Service.ORDER_SELECT, ORDER)]
)
def test_the_catalogue_is_complete(service: Service, ids: str) -> None:
    assert set(ids.split()) <= {rule.id for rule in rules_by_service()[service]}


def test_every_statement_of_the_source_is_traced() -> None:
    content = tomllib.loads((ROOT / "docs/traceability.toml").read_text(encoding="utf-8"))
    known = {rule.id for rule in RULES}
    traced = set(content["complement"])
    for statement in content["statement"]:
        effects = [
            *statement.get("rules", ()),
            *(k for k in ("modifier", "not_computed") if k in statement),
        ]
        assert effects, statement["id"]
        unknown = set(statement.get("rules", ())) - known
        assert not unknown, (statement["id"], unknown)
        traced |= set(statement.get("rules", ()))
    assert known <= traced, known - traced


def test_every_setting_of_the_contract_is_listed() -> None:
    page = generate().settings_page()
    names = (
        "PUBLIC_URL", "TRUSTED_CLIENTS", "DISCOVERY_AUTH", "INSECURE_OPEN", "FHIR_SERVERS",
        "FHIR_OPEN", "DATABASE_URL", "CORS_ORIGINS", "MAX_BODY_MB", "CRAMPS", "JURISDICTION",
        "MAX_INFO_CARDS", "RULES_OFF", "LIMITS", "VALIDATE", "ORDER_CODES", "DEMO",
    )  # fmt: skip
    for name in names:
        assert f"`CDS_{name}`" in page
