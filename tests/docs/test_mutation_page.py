"""docs/mutation.md: no survivor of the last run is without a reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/mutation.md").read_text(encoding="utf-8")
REASONS = (ROOT / "tools/mutation/survivors.toml").read_text(encoding="utf-8")


def test_every_survivor_on_the_page_has_a_reason() -> None:
    assert "0 of these without a reason" in PAGE
    assert "**unexplained**" not in PAGE


def test_every_reason_is_a_sentence_about_a_change_of_a_module_that_is_there() -> None:
    groups = tomllib.loads(REASONS)["group"]
    assert groups
    for group in groups:
        assert (ROOT / group["module"]).is_file()
        assert group["because"].endswith(".")
        assert all(was != now for was, now in group["mutants"])
