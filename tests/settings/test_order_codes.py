"""A site's own order codes."""

import json
from pathlib import Path

import pytest

from cds_service.catalogue.order_codes import with_codes_of
from cds_service.errors import StartupError
from cds_service.terminology.codes import Coding
from hooks.knowledge.files import orderables

EPIC = "urn:com.epic.cdshooks.action.code.system.preference-list-item"


def test_the_sites_code_comes_first_and_the_standard_one_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "codes.json"
    file.write_text(json.dumps({"magnesium": [{"system": EPIC, "code": "LAB123"}]}))
    merged = with_codes_of(str(file), orderables())
    assert merged["magnesium"].codes[0] == Coding(EPIC, "LAB123")
    assert merged["magnesium"].codes[1:] == orderables()["magnesium"].codes
    assert merged["potassium"] == orderables()["potassium"]


def test_without_a_file_nothing_changes() -> None:
    assert with_codes_of(None, orderables()) is orderables()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "not JSON", id="broken JSON"),
        pytest.param("[]", "one JSON object", id="a list"),
        pytest.param('{"magnesium": []}', "magnesium", id="no codings"),
        pytest.param('{"magnesium": [{"code": "x"}]}', "system", id="a coding without system"),
        pytest.param('{"iron": [{"system": "s", "code": "c"}]}', "no order", id="unknown order"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "codes.json"
    file.write_text(text)
    with pytest.raises(StartupError, match=message):
        with_codes_of(str(file), orderables())


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        with_codes_of(str(tmp_path / "none.json"), orderables())
