"""The public page of each rule, which cards link to."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from cds_service.api.rule_pages import sections
from cds_service.api.rule_sections import section, with_limits
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


MAGNESIUM = 'limits = { "magnesium.low" = { value = "0.75", unit = "mmol/L" } }\n'
NOTE = "Limit at this site: 0.75 mmol/L (default 0.70 mmol/L), <code>magnesium.low</code>"
SEVERAL = "A site of this service may use others"


def limits_file(tmp_path: Path, **values: str) -> str:
    """A file for CDS_LIMITS with values in mmol/L; ``magnesium_low`` is ``magnesium.low``."""
    file = tmp_path / "limits.toml"
    blocks = [
        f'["{key.replace("_", ".")}"]\nvalue = "{value}"\nunit = "mmol/L"\n'
        for key, value in values.items()
    ]
    file.write_text("".join(blocks), encoding="utf-8")
    return str(file)


def pages(tmp_path: Path, sites: str, *rules: str, **settings: object) -> list[str]:
    """The pages of rules where the sites file has this content."""
    file = tmp_path / "sites.toml"
    file.write_text(sites, encoding="utf-8")
    service = client(tmp_path, public_url=URL, sites=str(file), **settings)
    return [service.get(f"/rules/{rule}").text for rule in rules]


def test_a_page_shows_the_limits_of_the_settings_beside_the_defaults(tmp_path: Path) -> None:
    limits = limits_file(tmp_path, magnesium_low="0.75", potassium_high="5.50")
    service = client(tmp_path, public_url=URL, limits=limits)
    page = service.get("/rules/low-magnesium").text
    assert NOTE in page
    assert page.count("Limit at this site") == 1
    assert "The text below describes the default limits." in page
    assert "<td>0.75 mmol/L (default 0.70 mmol/L)</td>" in page
    assert "<td>0.50 mmol/L</td>" in page  # magnesium.severe is not changed
    # A rule that does not use the limit, and one whose limit has the same value as the default.
    for rule in ("high-potassium", "anemia"):
        assert "Limit at this site" not in service.get(f"/rules/{rule}").text


def test_a_page_shows_the_limits_of_the_only_site(tmp_path: Path) -> None:
    (page,) = pages(tmp_path, f"[site.default]\n{MAGNESIUM}", "low-magnesium")
    assert NOTE in page


@pytest.mark.parametrize(
    "sites",
    [
        f"[site.north]\n{MAGNESIUM}",
        f"[site.north]\n{MAGNESIUM}[site.south]\n",
        f"[site.default]\n{MAGNESIUM}[site.south]\n",
    ],
)
def test_no_site_sees_the_limits_of_another(tmp_path: Path, sites: str) -> None:
    page, without = pages(tmp_path, sites, "low-magnesium", "dvt-mimic")
    assert "0.75" not in page
    assert "Limit at this site" not in page
    assert SEVERAL in page
    assert "<td>0.70 mmol/L</td>" in page
    assert SEVERAL not in without  # it has no limits


def test_sites_with_the_same_limits_are_shown_them(tmp_path: Path) -> None:
    limits = limits_file(tmp_path, magnesium_low="0.75")
    sites = "[site.north]\n[site.south]\nmax_info_cards = 1\n"
    (page,) = pages(tmp_path, sites, "low-magnesium", limits=limits)
    assert NOTE in page
    assert SEVERAL not in page


def test_without_limits_of_a_site_a_page_is_the_section_of_the_reference() -> None:
    limits = TOPIC.knowledge.limits(None, "")
    for rule in RULES:
        assert with_limits(sections()[rule.id], rule, limits, limits) == sections()[rule.id]


def test_every_limit_is_found_in_the_table_of_each_rule_that_uses_it() -> None:
    limits = TOPIC.knowledge.limits(None, "")
    for rule in RULES:
        for key in rule.limits:
            default = limits[key]
            changed = replace(default, value=default.value + 1, overridden=True)
            text = with_limits(sections()[rule.id], rule, limits, {key: changed})
            assert f"| `{key}` | {changed} (default {default}) |" in text
            assert f"- Limit at this site: {changed} (default {default}), `{key}`" in text
            assert f"| `{key}` | {default} |" not in text
