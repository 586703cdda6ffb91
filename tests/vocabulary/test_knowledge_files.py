"""Our own knowledge files, were they wrong: refused with file, entry and reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cds_service.core.knowledge import KnowledgeError
from hooks.knowledge import files, vocabulary

# The readers keep what they have read; under the cache they read anew.
analytes = files.analytes.__wrapped__
references = files.references.__wrapped__
code_lists = vocabulary.code_lists.__wrapped__


def instead(monkeypatch: pytest.MonkeyPatch, content: dict[str, Any]) -> None:
    monkeypatch.setattr(files, "_toml", lambda _name: content)


def test_a_spelling_of_two_units_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    units = [
        {"name": "mmol/L", "spellings": ["mmol/L", "mM"]},
        {"name": "mg/dL", "spellings": ["mg/dL", "mM"]},
    ]
    entry = {
        "name": "Zinc",
        "canonical": "mmol/L",
        "plausible": ["0", "1"],
        "decimals": 2,
        "unit": units,
    }
    instead(monkeypatch, {"zinc": entry})
    with pytest.raises(KnowledgeError, match=r"analytes\.toml: zinc: mM is listed twice"):
        analytes()
    units[1]["spellings"] = ["mg/dL"]
    assert set(analytes()["zinc"].units) == {"mmol/L", "mM", "mg/dL"}


def test_a_source_of_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    instead(monkeypatch, {"neighbour": {"kind": "hearsay"}})
    with pytest.raises(KnowledgeError, match=r"references\.toml: neighbour: kind hearsay"):
        references()


def test_only_tables_among_the_code_lists_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "codelists" / "orders"
    folder.mkdir(parents=True)
    (folder / "abi.csv").write_text(
        "system,code,display,verified,source\nhttp://loinc.org,44974-4,ABI,true,a page\n",
        encoding="utf-8",
    )
    (folder / "abi.csv.orig").write_text("left by an editor", encoding="utf-8")
    monkeypatch.setattr(vocabulary, "_folder", lambda: tmp_path)
    assert [one.concept for one in code_lists("orders")] == ["abi"]
