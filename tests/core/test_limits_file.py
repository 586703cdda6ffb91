"""A site's own limits: accepted, or refused with the file, the entry and the fix."""

from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.answer.writing import CardWriter
from cds_service.catalogue.limits_file import read_limits
from cds_service.core.call import Call
from cds_service.core.knowledge import KnowledgeError, Limits
from cds_service.engine.arranging import ShownFinding
from cds_service.engine.rule import Indicator
from hooks.knowledge import files
from hooks.knowledge.files import orderables, references
from hooks.patient_view import RULES
from tests.testing.given import NOW, fired, given, silent


def limits(path: str | None = None) -> Limits:
    """The limits of leg cramps, overridden by the file at ``path``."""
    return files.limits() if path is None else files.limits(read_limits(path), path)


def written(folder: Path, text: str, name: str = "limits.toml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limits.toml", '["magnesium.low"]\nvalue = "0.75"\nunit = "mmol/L"\n'),
        ("limits.toml", '["magnesium.low"]\nvalue = 0.75\nunit = "mmol/L"\nchecked = 2026-01-31\n'),
        ("limits.json", '{"magnesium.low": {"value": "0.75", "unit": "mmol/L"}}'),
        ("limits.json", '{"magnesium.low": {"value": 0.75, "unit": "mmol/L"}}'),
        (
            "limits.json",
            '{"magnesium.low": {"value": 0.75, "unit": "mmol/L", "checked": "2026-01-31"}}',
        ),
    ],
)
def test_toml_and_json_are_accepted_and_decimals_kept_as_written(
    tmp_path: Path, name: str, text: str
) -> None:
    merged = limits(written(tmp_path, text, name))
    assert str(merged["magnesium.low"].value) == "0.75"
    assert merged["magnesium.low"].overridden
    assert not merged["magnesium.severe"].overridden
    assert len(merged) == len(limits())
    assert limits()["magnesium.low"].value == Decimal("0.70")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("not = [toml", "neither TOML nor JSON", id="broken TOML"),
        pytest.param(
            '["magnesium.lwo"]\nvalue = "1"\nunit = "mmol/L"', "magnesium.lwo is not a limit",
            id="unknown key, with the list of keys",
        ),
        pytest.param(
            '[magnesium.low]\nvalue = "0.75"\nunit = "mmol/L"', "write the key in quotes",
            id="key without quotes",
        ),
        pytest.param('"magnesium.low" = 0.75', 'write {"value": ..., "unit": "mmol/L"}', id="bare"),
        pytest.param('["magnesium.low"]\nunit = "mmol/L"', "value is not a number", id="no value"),
        pytest.param(
            '["magnesium.low"]\nvalue = "0.75"', 'unit must be "mmol/L"', id="no unit"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "1.8"\nunit = "mg/dL"',
            'unit must be "mmol/L"',
            id="another unit is not converted",
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "low"\nunit = "mmol/L"', "low is not a number", id="a word"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = true\nunit = "mmol/L"',
            "value is not a number",
            id="a boolean",
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "0"\nunit = "mmol/L"', "above zero", id="zero"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "-1"\nunit = "mmol/L"', "above zero", id="negative"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "nan"\nunit = "mmol/L"', "above zero", id="not a number"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "inf"\nunit = "mmol/L"', "above zero", id="infinite"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "75"\nunit = "mmol/L"', "not plausible", id="implausible"
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "0.4"\nunit = "mmol/L"', "magnesium.severe",
            id="below the severe limit",
        ),
        pytest.param(
            '["egfr.severe"]\nvalue = "60"\nunit = "mL/min/{1.73_m2}"',
            "must be below egfr.moderate",
            id="two limits become equal",
        ),
        pytest.param(
            '["potassium.caution"]\nvalue = "5.6"\nunit = "mmol/L"', "potassium.high",
            id="caution above high",
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "0.75"\nunit = "mmol/L"\nsource = "us"',
            "source is not a field",
            id="unknown field",
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "0.75"\nunit = "mmol/L"\nchecked = "yesterday"',
            "checked is not a day", id="checked is not a day",
        ),
        pytest.param(
            '["magnesium.low"]\nvalue = "0.75"\nunit = "mmol/L"\nchecked = 5',
            "checked is not a day", id="checked is a number",
        ),
    ],
)  # fmt: skip
def test_an_invalid_file_is_refused_with_file_entry_and_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(KnowledgeError) as refused:
        limits(path)
    assert message in str(refused.value)
    assert path in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[]", "must be an object"), ("{", "neither TOML nor JSON"), ("3", "must be an object")],
)
def test_invalid_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(KnowledgeError, match=message):
        limits(written(tmp_path, text, "limits.json"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="cannot be read"):
        limits(str(tmp_path / "none.toml"))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "limits.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KnowledgeError, match="cannot be read"):
        limits(str(path))


def test_a_limit_that_does_not_exist_is_an_error_that_names_it() -> None:
    with pytest.raises(KnowledgeError, match=r"no limit is called magnesium\.imagined"):
        limits()["magnesium.imagined"]


def test_a_sites_limit_is_applied_and_the_card_says_so(tmp_path: Path) -> None:
    text = '["magnesium.low"]\nvalue = "0.75"\nunit = "mmol/L"\n'
    own = limits(written(tmp_path, text))
    case = given().result("magnesium", "0.72 mmol/L")
    silent(case.ask("low-magnesium"))
    finding = fired(case.at(limits=own).ask("low-magnesium"))
    assert finding.indicator is Indicator.WARNING
    rule = next(rule for rule in RULES if rule.id == "low-magnesium")
    writer = CardWriter(references(), orderables())
    card = writer.write(ShownFinding(rule, finding), Call("any-service", "1", NOW), "id")
    assert "limit 0.75 mmol/L, set by this site" in card["detail"]
    assert card["detail"].count("set by this site") == 1
