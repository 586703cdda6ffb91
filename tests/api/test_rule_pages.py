"""The public page of each rule, which cards link to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.api.rule_pages import sections
from cds_service.api.rule_sections import section
from cds_service.app import create_app
from cds_service.settings import Settings
from hooks import TOPIC, order_select, patient_view

RULES = [*patient_view.RULES, *order_select.RULES]
URL = "https://cds.hospital.org"


def client(tmp_path: Path, **settings: object) -> FlaskClient:
    return create_app(
        Settings(database_url=f"sqlite:///{tmp_path / 'a.db'}", **settings)  # type: ignore[arg-type]
    ).test_client()


@pytest.mark.parametrize("rule", sorted({rule.id for rule in RULES}))
def test_every_rule_has_a_section(rule: str) -> None:
    assert sections()[rule]


def test_the_page_of_a_rule_is_public_html_with_its_sources(tmp_path: Path) -> None:
    answer = client(tmp_path, public_url=URL).get("/rules/quinine-active")
    assert answer.status_code == 200
    assert answer.content_type == "text/html; charset=utf-8"
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "<h1>Quinine on the medication list</h1>" in answer.text
    assert 'href="https://' in answer.text
    assert "references.md" not in answer.text
    assert ".example" not in answer.text


@pytest.mark.parametrize("rule", ["nothing", "quinine-active.html", "..", "%3Cscript%3E"])
def test_an_unknown_rule_id_is_404_and_not_echoed(tmp_path: Path, rule: str) -> None:
    answer = client(tmp_path, public_url=URL).get(f"/rules/{rule}")
    assert answer.status_code == 404
    assert b"script" not in answer.data


def test_without_a_public_address_there_are_no_pages(tmp_path: Path) -> None:
    assert client(tmp_path).get("/rules/quinine-active").status_code == 404
    assert (
        client(tmp_path, public_url=URL, rule_pages=False).get("/rules/anemia").status_code == 404
    )


def test_the_pages_are_in_the_openapi_document(tmp_path: Path) -> None:
    paths = client(tmp_path, public_url=URL).get("/openapi.json").get_json()["paths"]
    assert "/rules/{rule}" in paths
    assert "/rules/{rule}" not in client(tmp_path).get("/openapi.json").get_json()["paths"]


def test_the_section_of_a_rule_keeps_a_docstring_of_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = next(rule for rule in patient_view.RULES if rule.id == "quinine-active")
    monkeypatch.setattr(sys.modules[rule.check.__module__], "__doc__", "Quinine, in a sentence.")
    references, limits = TOPIC.knowledge.references, TOPIC.knowledge.limits(None, "")
    text = section(rule, references, limits, citations=True)
    assert "\n\nQuinine, in a sentence.\n" in text
    assert "whether or not the complaint is documented" in text
    for key in rule.references:
        assert f"(references.md#{key}). {references[key].citation}" in text
