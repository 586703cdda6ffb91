"""Which modules are mutated, and which tests each of their lines meets."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.mutation.trying import ROOT, SAID, Contexts, Tests, forked, run_pytest, start

UNITS = ("cds_service/core/quantities.py", "cds_service/fhir/read/observed.py")
WHOLE = (
    UNITS[0],
    *(f"hooks/{one}.py" for one in ("levels", "quinine_hazards", "renal")),
    *(f"hooks/rules/{one}.py" for one in ("potassium_ordered", "quinine")),
)
"""Never sampled: units, levels, renal function, and the orders that can kill."""
TESTS = (
    "tests/rules", "tests/core", "tests/test_dose.py", "tests/fhir_reading/test_values.py",
    "tests/fhir_reading/test_vendor_shapes.py", "tests/vignettes",
    "tests/scenarios/test_scenarios.py",
)  # fmt: skip
_TOO_SLOW = (
    "tests/core/test_no_contradictions.py"  # half a survivor's time; leaving it out is strict
)
_OWN = {
    "cds_service/core/quantities.py": ("tests/core/test_quantities.py",),
    "cds_service/fhir/read/observed.py": ("tests/fhir_reading/test_values.py",),
    "hooks/renal.py": ("tests/core/test_renal.py",),
    "hooks/dose.py": ("tests/test_dose.py",),
    "hooks/levels.py": ("tests/rules/test_levels.py",),
    "hooks/rules/vascular.py": ("tests/rules/test_mimics.py",),
    "hooks/rules/nerve.py": ("tests/rules/test_mimics.py",),
}
_MOST_SECONDS = 900
Lines = Mapping[int, frozenset[str]]


def modules() -> list[str]:
    """The rules, what they share, and the units: paths from the checkout's root."""
    found = [*(ROOT / "hooks").glob("*.py"), *(ROOT / "hooks/rules").glob("*.py")]
    paths = [str(one.relative_to(ROOT)) for one in sorted(found) if one.name != "__init__.py"]
    return [*UNITS, *paths]


@dataclass(frozen=True)
class Plan:
    """For each module the tests that run each of its lines."""

    lines: Mapping[str, Lines]
    all: frozenset[str]

    def tests(self, path: str, first: int, last: int) -> Tests:
        """The tests of a mutant on these lines; all tests where a line runs at import."""
        name = f"tests/rules/test_{Path(path).stem}.py"
        own = _OWN.get(path) or ((name,) if (ROOT / name).exists() else ())
        found = [self.lines[path].get(line, frozenset()) for line in range(first, last + 1)]
        covering = frozenset().union(*found)
        return Tests(own, covering or self.all, covering in (frozenset(), self.all))


def measured() -> Plan:
    """Run the tests once, unmutated, and note who runs what. Raises where a test fails."""
    data = ROOT / ".mutation" / "coverage"
    data.parent.mkdir(exist_ok=True)
    data.unlink(missing_ok=True)

    def work() -> int:
        from coverage import Coverage

        files = [str(ROOT / one) for one in modules()]
        cover = Coverage(data_file=str(data), config_file=False, include=files)
        cover.start()
        start(*modules())  # what runs now, every test depends on
        status = run_pytest([*TESTS, f"--ignore={_TOO_SLOW}"], [Contexts(cover.switch_context)])
        cover.stop()
        cover.save()
        return status

    status = forked(work, _MOST_SECONDS)
    if status != 0:
        sys.exit(f"mutation: the tests fail without any mutant (status {status}): see {SAID}")
    return _read(data)


def _read(data: Path) -> Plan:
    from coverage import CoverageData

    found = CoverageData(basename=str(data))
    found.read()
    contexts = found.measured_contexts()
    tests = frozenset(one for one in contexts if "::" in one)
    of_file: dict[str, set[str]] = defaultdict(set)
    for one in tests:
        of_file[one.split("::")[0]].add(one)
    meant = {one: {one} for one in tests} | {
        one: of_file[one] if one else tests for one in contexts - tests
    }
    lines: dict[str, Lines] = {}
    for path in modules():
        by_line = found.contexts_by_lineno(str(ROOT / path))
        lines[path] = {
            line: frozenset().union(*(meant[one] for one in ran)) for line, ran in by_line.items()
        }
    return Plan(lines, tests)
