"""Compares how readers judged the sheets with the rules' outcomes."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cds_service.errors import BadRequest
from cds_service.population.sampling import read_csv
from cds_service.population.summary import wilson

_YES, _NO, _OPEN = {"yes", "y", "true", "1"}, {"no", "n", "false", "0"}, {"unclear", "?", "", "-"}


def score(folder: Path, sheets: Sequence[Path]) -> dict[str, Any]:
    """Predictive values by reader and by rule, and the agreement of two readers.

    Raises BadRequest naming the file and the line.
    """
    key_file = folder / "sample-key.csv"
    if not key_file.exists():
        raise BadRequest(f"{key_file} does not exist.", "Draw the sheets with --sample.", "FOLDER")
    key = {(row["sheet"], row["rule"]): row["answer"] == "fired" for row in read_csv(key_file)}
    if len(sheets) > 2 or len({path.resolve() for path in sheets}) < len(sheets):
        raise BadRequest(
            "the sheets are not those of one or two readers.",
            "Name one completed copy of sample.csv for each of them.",
            "SHEETS",
        )
    readers = {str(path): _filled(path, key) for path in sheets}
    made: dict[str, Any] = {"sheets": len(key), "readers": {}}
    for name, filled in readers.items():
        rules = sorted({rule for _, rule in filled})
        made["readers"][name] = {
            "all": _values(filled, key),
            "unanswered": len(key) - len(filled),
            "rules": {
                rule: _values({one: v for one, v in filled.items() if one[1] == rule}, key)
                for rule in rules
            },
        }
    if len(readers) == 2:
        first, second = readers.values()
        both = [one for one in first if one in second]
        made["both"] = len(both)
        made["kappa"] = kappa([(first[one], second[one]) for one in both])
        agreed = {one: first[one] for one in both if first[one] == second[one]}
        made["agreed"] = _values(agreed, key)
    return made


def _filled(path: Path, key: Mapping[tuple[str, str], bool]) -> dict[tuple[str, str], bool]:
    found: dict[tuple[str, str], bool] = {}
    seen: set[tuple[str, str]] = set()
    try:
        rows = list(read_csv(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(
            f"{path} cannot be read ({type(error).__name__}).", "Save it as CSV in UTF-8."
        ) from None
    if not rows or "should_fire" not in rows[0]:
        raise BadRequest(
            f"{path} has no rows, or no column should_fire.", "Complete a copy of sample.csv."
        )
    for line, row in enumerate(rows, 2):
        sheet = row.get("sheet", "")
        one = (sheet.zfill(3) if sheet else "", row.get("rule", ""))
        said = row.get("should_fire", "").lower()
        if one not in key:
            raise BadRequest(
                f"{path}, line {line}: there is no sheet {sheet!r} for this rule.",
                "Complete a copy of sample.csv without changing its other columns.",
            )
        if one in seen:
            raise BadRequest(f"{path}, line {line}: sheet {sheet} is listed twice.", "Keep one.")
        seen.add(one)
        if said in _YES or said in _NO:
            found[one] = said in _YES
        elif said not in _OPEN:
            raise BadRequest(
                f"{path}, line {line}: should_fire is {said!r}.", "Write yes, no or unclear."
            )
    return found


def _values(
    filled: Mapping[tuple[str, str], bool], key: Mapping[tuple[str, str], bool]
) -> dict[str, Any]:
    """Positive and negative predictive value, each with its 95 % interval; None without data."""
    fired = [said for one, said in filled.items() if key[one]]
    silent = [not said for one, said in filled.items() if not key[one]]
    return {"positive": _share(fired), "negative": _share(silent)}


def _share(right: Sequence[bool]) -> dict[str, Any]:
    of, hits = len(right), sum(right)
    low, high = wilson(hits, of)
    return {
        "value": round(hits / of, 4) if of else None,
        "right": hits,
        "of": of,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa; None where there is nothing to compare or agreement by chance is certain."""
    if not pairs:
        return None
    count = len(pairs)
    observed = sum(one == two for one, two in pairs) / count
    first = sum(one for one, _ in pairs) / count
    second = sum(two for _, two in pairs) / count
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else round((observed - chance) / (1 - chance), 4)
