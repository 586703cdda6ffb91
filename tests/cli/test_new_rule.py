"""`new-rule` writes a rule that works as it stands, or writes nothing."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path

import pytest

from cds_service.calls.envelope import read_envelope
from cds_service.engine.hook import PATIENT_VIEW
from cds_service.engine.rule import CannotTell, Finding, NotFired, Rule, checked
from hooks.knowledge.files import analytes, limits, orderables, references
from tests.cli.conftest import Command
from tests.given import given

WRITTEN = (
    "hooks/rules/very_low_sodium.py",
    "tests/rules/test_very_low_sodium.py",
    "fixtures/scenarios/very-low-sodium/request.json",
    "fixtures/scenarios/very-low-sodium/expected.json",
    "fixtures/scenarios/very-low-sodium/why.md",
)


@pytest.fixture
def checkout(tmp_path: Path, cds: Command) -> Path:
    """The folder the command runs in, with what shows that it is a source checkout."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "patient_view.py").touch()
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}


def test_the_files_are_written_and_the_next_steps_said(cds: Command, checkout: Path) -> None:
    before = files(checkout)
    ran = cds("new-rule", "very-low-sodium")

    assert (ran.status, ran.err) == (0, "")
    assert files(checkout) - before == set(WRITTEN)
    assert [f"wrote {name}" for name in WRITTEN] == ran.out.splitlines()[: len(WRITTEN)]
    assert "from hooks.rules.very_low_sodium import very_low_sodium; add it to RULES" in ran.out


def test_the_rule_works_as_it_stands(cds: Command, checkout: Path) -> None:
    cds("new-rule", "very-low-sodium")
    spec = importlib.util.spec_from_file_location("written_rule", checkout / WRITTEN[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rule = module.very_low_sodium
    assert isinstance(rule, Rule)
    assert rule.id == "very-low-sodium"
    checked([rule], references(), limits(), analytes(), orderables())
    assert rule.check is not None
    assert isinstance(rule.check(given().result("sodium", "134 mmol/L").facts()), Finding)
    assert isinstance(rule.check(given().result("sodium", "135 mmol/L").facts()), NotFired)
    assert isinstance(rule.check(given().facts()), CannotTell)
    assert isinstance(rule.check(given().result("sodium", "<140 mmol/L").facts()), CannotTell)


def test_its_test_and_its_scenario_can_be_read(cds: Command, checkout: Path) -> None:
    cds("new-rule", "very-low-sodium")
    ast.parse((checkout / WRITTEN[1]).read_text(encoding="utf-8"))
    envelope = read_envelope((checkout / WRITTEN[2]).read_bytes(), PATIENT_VIEW)
    assert envelope.patient_id == "very-low-sodium"
    (card,) = json.loads((checkout / WRITTEN[3]).read_text(encoding="utf-8"))["cards"]
    assert card["rule"] == "very-low-sodium"
    assert all("$" not in (checkout / name).read_text(encoding="utf-8") for name in WRITTEN)


@pytest.mark.parametrize("name", ["Low-Sodium", "low_sodium", "../low", "1-low", "low--sodium"])
def test_a_name_that_is_no_rule_id_writes_nothing(cds: Command, checkout: Path, name: str) -> None:
    before = files(checkout)
    ran = cds("new-rule", name)
    assert ran.status == 1
    assert f"NAME: {name} is not a valid rule id." in ran.err
    assert files(checkout) == before


def test_one_file_in_the_way_stops_all(cds: Command, checkout: Path) -> None:
    (checkout / "tests" / "rules").mkdir(parents=True)
    (checkout / WRITTEN[1]).write_text("mine", encoding="utf-8")
    before = files(checkout)
    ran = cds("new-rule", "very-low-sodium")
    assert ran.status == 1
    assert f"{WRITTEN[1]} exists" in ran.err
    assert files(checkout) == before
    assert (checkout / WRITTEN[1]).read_text(encoding="utf-8") == "mine"


def test_outside_a_source_checkout_nothing_is_written(cds: Command, tmp_path: Path) -> None:
    ran = cds("new-rule", "very-low-sodium")
    assert ran.status == 1
    assert "is not a source checkout" in ran.err
    assert files(tmp_path) == set()
