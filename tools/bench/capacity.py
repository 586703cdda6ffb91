"""``python -m tools.bench.capacity``: what one worker bears, and ``docs/explanation/capacity.md``.

Loopback only, bounded in time and in requests; the servers end with it, whatever happens. The
figures go into ``tools/bench/capacity.json`` and the page is written from them, so that the
assumptions about hospitals can be changed later without measuring (``--from-figures``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tools.bench import capacity_report, load, servers
from tools.bench.capacity_figures import CapacityFigures, read_figures, write_figures
from tools.bench.capacity_loads import FULL, QUICK, ground, measure
from tools.bench.demand import assumed, read_changes

PAGE = servers.CHECKOUT / "docs" / "explanation" / "capacity.md"
FIGURES = servers.CHECKOUT / "tools" / "bench" / "capacity.json"


def main() -> int:
    """Exit status 0, 1 when a server failed, 2 for assumptions that cannot be read, 3 when
    answers were no success."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.capacity", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute, not to plan by")
    parser.add_argument("--no-document", action="store_true", help="print the page only")
    parser.add_argument("--postgres", metavar="URL", help="an empty database, measured as well")
    parser.add_argument("--from-figures", action="store_true", help=f"use {FIGURES.name}")
    parser.add_argument(
        "assumptions", nargs="*", metavar="NAME=VALUE", help="print with others than those assumed"
    )
    options = parser.parse_args()
    try:
        assumptions = assumed(read_changes(options.assumptions))
    except ValueError as error:
        parser.error(str(error))
    began = time.monotonic()
    try:
        figures = read_figures(FIGURES) if options.from_figures else _run(options)
    except (RuntimeError, FileNotFoundError) as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 1
    page = capacity_report.document(figures, assumptions)
    print(page)
    print(f"{time.monotonic() - began:.0f} s, {figures.failed} answers were no success.")
    if options.no_document or options.assumptions:
        pass
    elif figures.quick and PAGE.exists() and capacity_report.QUICK_NOTICE not in PAGE.read_text():
        print(f"{PAGE.name} is of a full run: a quick one does not replace it.")
    else:
        write_figures(FIGURES, figures)
        PAGE.write_text(page)
        print(f"Written: {PAGE.relative_to(servers.CHECKOUT)}")
    return 3 if figures.failed else 0


def _run(options: argparse.Namespace) -> CapacityFigures:
    if not load.has_wrk():
        print("wrk is missing (Debian: apt-get install wrk): figures are lower than with it.")
    with tempfile.TemporaryDirectory(prefix="cds-capacity-") as folder, ground(Path(folder)) as on:
        return measure(on, QUICK if options.quick else FULL, options.postgres)


if __name__ == "__main__":
    sys.exit(main())
