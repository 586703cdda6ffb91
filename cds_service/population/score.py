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
    readers = {str(path): _read_sheet(path, key) for path in sheets}
    scores: dict[str, Any] = {"sheets": len(key), "readers": {}}
    for name, filled in readers.items():
        rules = sorted({rule for _, rule in filled})
        scores["readers"][name] = {
            "all": _values(filled, key),
            "unanswered": len(key) - len(filled),
            "rules": {
                rule: _values({pair: v for pair, v in filled.items() if pair[1] == rule}, key)
                for rule in rules
            },
        }
    if len(readers) == 2:
        first, second = readers.values()
        both = [pair for pair in first if pair in second]
        scores["both"] = len(both)
        scores["kappa"] = kappa([(first[pair], second[pair]) for pair in both])
        agreed = {pair: first[pair] for pair in both if first[pair] == second[pair]}
        scores["agreed"] = _values(agreed, key)
    return scores


def _read_sheet(path: Path, key: Mapping[tuple[str, str], bool]) -> dict[tuple[str, str], bool]:
    filled: dict[tuple[str, str], bool] = {}
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
        pair = (sheet.zfill(3) if sheet else "", row.get("rule", ""))
        judgement = row.get("should_fire", "").lower()
        if pair not in key:
            raise BadRequest(
                f"{path}, line {line}: there is no sheet {sheet!r} for this rule.",
                "Complete a copy of sample.csv without changing its other columns.",
            )
        if pair in seen:
            raise BadRequest(f"{path}, line {line}: sheet {sheet} is listed twice.", "Keep one.")
        seen.add(pair)
        if judgement in _YES or judgement in _NO:
            filled[pair] = judgement in _YES
        elif judgement not in _OPEN:
            raise BadRequest(
                f"{path}, line {line}: should_fire is {judgement!r}.", "Write yes, no or unclear."
            )
    return filled


def _values(
    filled: Mapping[tuple[str, str], bool], key: Mapping[tuple[str, str], bool]
) -> dict[str, Any]:
    """Positive and negative predictive value, each with its 95 % interval; None without data."""
    fired = [judgement for pair, judgement in filled.items() if key[pair]]
    silent = [not judgement for pair, judgement in filled.items() if not key[pair]]
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
    observed = sum(a == b for a, b in pairs) / count
    first = sum(a for a, _ in pairs) / count
    second = sum(b for _, b in pairs) / count
    chance = first * second + (1 - first) * (1 - second)
    return None if chance == 1 else round((observed - chance) / (1 - chance), 4)
