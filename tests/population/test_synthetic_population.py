"""The synthetic population: the same every time, with the documented gaps."""

from __future__ import annotations

from pathlib import Path

from tests.population.export import outcome
from tools.population import make


def test_a_synthetic_population_has_the_documented_gaps(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make.write(tmp_path / name, patients=60, seed=1, results=20)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()

    summary = outcome(tmp_path / "a", tmp_path / "out")
    kinds = {caveat["kind"] for caveat in summary["caveats"]}
    assert summary["counts"]["patients"] == 60
    assert summary["counts"]["failed"] == 0
    assert any("without a date" in kind for kind in kinds)
    assert any("ended at an unknown time" in kind for kind in kinds)
    assert any("duplicates" in kind for kind in kinds)
    assert {problem["kind"] for problem in summary["problems"]} & {
        "unknown-unit",
        "no-unit",
        "undated",
    }
