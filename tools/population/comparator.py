"""Three rules in CQL on the same export, by fhir4ds-v2, and where its answers differ from ours.

In an environment of its own (`pip install fhir4ds-v2 pandas`), which is all that this file needs:

    python comparator.py EXPORT RUN

RUN is the folder of `cds-service population EXPORT --out RUN --at 2026-06-30T12:00 --identified`.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path

RULES = {
    "low-potassium": "Low Potassium",
    "quinine-active": "Quinine Active",
    "baclofen-active-renal-impairment": "Baclofen In Renal Impairment",
}


def main(source: str, run: str) -> None:
    """Print the seconds for loading and asking, and each pair of answers with its count."""
    cql = import_module("fhir4ds.cql")
    database = import_module("fhir4ds").create_connection()
    began = time.process_time()
    resources = cql.load_resources_from_directory(database, source)
    loaded = time.process_time()
    library = Path(__file__).with_name("three_rules.cql")
    columns = {rule.replace("-", "_"): name for rule, name in RULES.items()}
    rows = cql.evaluate_measure(str(library), database, columns).to_dict("records")
    answered = time.process_time()
    theirs = {row["patient_id"]: row for row in rows}
    answers = database.execute(
        "SELECT patient, rule, answer, because FROM read_parquet(?) WHERE list_contains(?, rule)",
        [f"{run}/evaluations.parquet", list(RULES)],
    ).fetchall()
    pairs: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}
    different: dict[str, Counter[str]] = {rule: Counter() for rule in RULES}
    for patient, rule, answer, because in answers:
        row = theirs.get(patient)
        their_answer = "no row" if row is None else str(bool(row[rule.replace("-", "_")])).lower()
        pairs[rule][f"{answer} / {their_answer}"] += 1
        if (answer == "fired") != (their_answer == "true"):
            different[rule][f"{answer} / {their_answer}: {'; '.join(because)}"] += 1
    print(
        json.dumps(
            {
                "what": "comparator", "resources": resources, "patients": len(theirs),
                "loading_s": round(loaded - began, 1), "asking_s": round(answered - loaded, 1),
                "answers": pairs, "unlike": {k: v.most_common(8) for k, v in different.items()},
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
