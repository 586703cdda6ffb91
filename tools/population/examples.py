"""Makes the example reports of the documents again: needs Chromium for the picture.

    python -m tools.population.examples [SYNTHEA]

SYNTHEA is a folder of one-patient Bundles, for the second example.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner
from playwright.sync_api import sync_playwright

from cds_service.cli import main as cds_service
from tools.population import make

DOCS = Path(__file__).parents[2] / "docs"
CHROMIUM = os.environ.get("CDS_CHROMIUM", "/usr/bin/chromium")
# As in the tutorial.
SITES = """[site.careful]
silent = ["first-line-measures", "electrolytes-not-checked"]

[population.limits]
cards_per_clinician_day = 3
cannot_tell_percent = 30
"""


def example(name: str, source: Path, folder: Path, options: list[str], sites: str) -> None:
    """Run the command, and save its report and its counts in docs/examples."""
    result = CliRunner().invoke(
        cds_service,
        ["population", str(source), "--out", str(folder), *options],
        env={"CDS_SITES": sites},
    )
    if result.exit_code not in (0, 3):
        raise SystemExit(result.output)
    shutil.copyfile(folder / "report.html", DOCS / "examples" / f"{name}.html")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    if "compared" in summary:
        del summary["compared"]["rows"][20:]  # there are thousands
    text = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
    (DOCS / "examples" / f"{name}.json").write_text(text, encoding="utf-8")


def main() -> None:
    """Make them in a temporary folder, and take a picture of the first screen of the first."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "sites.toml").write_text(SITES, encoding="utf-8")
        make.write(work / "export", 10_000, seed=1, results=45)
        comparison = ["--compare", "careful"]
        example(
            "synthetic-10000", work / "export", work / "a", comparison, str(work / "sites.toml")
        )
        if sys.argv[1:]:
            example("synthea-30", Path(sys.argv[1]), work / "b", [], "")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1200, "height": 780})
            page.goto((work / "a" / "report.html").as_uri())
            page.screenshot(path=DOCS / "images" / "population-report.png")
            browser.close()


if __name__ == "__main__":
    main()
