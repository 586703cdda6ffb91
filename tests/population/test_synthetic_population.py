"""The synthetic population: the same every time, with the documented gaps."""

from __future__ import annotations

from pathlib import Path

from tests.population.export import outcome
from tools.population import make


def test_a_synthetic_population_has_the_documented_gaps(tmp_path: Path) -> None:
    make.write(tmp_path / "a", patients=120, seed=1, results=30)
    make.write(tmp_path / "b", patients=120, seed=1, results=30)
    for one in (tmp_path / "a").iterdir():
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes()

    made = outcome(tmp_path / "a", tmp_path / "out")
    kinds = {one["kind"] for one in made["caveats"]}
    assert made["counts"]["patients"] == 120
    assert made["counts"]["failed"] == 0
    assert any("without a date" in kind for kind in kinds)
    assert any("ended at an unknown time" in kind for kind in kinds)
    assert any("duplicates" in kind for kind in kinds)
    assert {one["kind"] for one in made["problems"]} & {"unknown-unit", "no-unit", "undated"}
