"""The figures of the report, computed from the results with SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.engine.hook import HOOKS
from cds_service.population.limits import compared_with_limits, verdict
from cds_service.population.tables import quoted, rows_in

if TYPE_CHECKING:
    from cds_service.population.evaluating import Plan
    from cds_service.population.options import RunOptions

PUBLISHED = {
    "per 100 encounters": (6.0, 76.0),  # published by encounter: 0.06 to 0.76
    "per inpatient-day": (0.22, 1.06),
    "per 100 orders": (0.98, 17.42),
    "per clinician-day": (0.08, 3.34),
}
"""The range of interruptive alerts in six paediatric systems, by denominator (Orenstein 2021,
"Alert burden in pediatric hospitals")."""

Json = dict[str, Any]


class Answers:
    """The results of a run for SQL, in a DuckDB database: the views ``calls`` and ``evaluations``
    are for the reported site, ``every`` and ``every_evaluation`` for all; ``patients`` has a row
    for each patient."""

    def __init__(self, database: Any, answers: Path, site: str) -> None:
        self._database = database
        rows = rows_in(answers)
        site_name = quoted(site)
        self._database.execute(
            f"""
            CREATE VIEW every AS SELECT * FROM {rows} WHERE hook IS NOT NULL;
            CREATE VIEW calls AS SELECT * FROM every WHERE site = '{site_name}';
            CREATE VIEW patients AS SELECT * FROM {rows} WHERE hook IS NULL;
            CREATE VIEW events AS SELECT unnest(events, recursive := true) FROM patients;
            CREATE VIEW evaluations AS SELECT * EXCLUDE (answers, evaluation), evaluation.* FROM
                (SELECT *, unnest(answers) AS evaluation FROM calls);
            CREATE VIEW every_evaluation AS
                SELECT * EXCLUDE (answers, evaluation), evaluation.* FROM
                (SELECT *, unnest(answers) AS evaluation FROM every);
            """
        )

    def all(self, query: str) -> list[Json]:
        """The rows of a query."""
        answer = self._database.execute(query)
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]

    def one(self, query: str) -> Json:
        """The only row of a query."""
        return self.all(query)[0]


def summarise(
    database: Any,
    options: RunOptions,
    plan: Plan,
    counted: Mapping[str, Any],
    answers: Path,
    limits: Mapping[str, float],
) -> Json:
    """The summary of a run: ``counted`` is what was read, ``limits`` are those of the site."""
    from cds_service.ops.version import version_text

    data = Answers(database, answers, options.site)
    counts = data.one(_COUNTS)
    shown = data.one("SELECT coalesce(sum(info + warning + critical), 0)::BIGINT n FROM calls")["n"]
    summary: Json = {
        "asked": {
            "at": options.at,
            "hook": plan.hook,
            "site": options.site,
            "compare": options.compare or None,
            "from": options.start or None,
            "to": options.end or None,
            "identified": options.identified,
            "version": version_text(),
            "rules": rules_digest(data),
            "limits": limits_digest(plan),
        },
        "counts": {**counts, "cards": shown},
        "resources": dict(sorted(counted["types"].items())),
        "odd": _ranked(counted["odd"]),
        "caveats": _caveats(data),
        "cards": data.one(
            "SELECT coalesce(sum(info),0)::BIGINT info, coalesce(sum(warning),0)::BIGINT warning, "
            "coalesce(sum(critical),0)::BIGINT critical FROM calls"
        ),
        "rates": rates(data, counts, shown, plan.hook),
        "rules": _rules(data),
        "distribution": data.all(
            "SELECT (info + warning + critical)::INT AS cards, count(*) AS calls FROM calls "
            "GROUP BY 1 ORDER BY 1"
        ),
        "latency": data.one(
            "SELECT round(avg(milliseconds), 3) mean, round(quantile_cont(milliseconds, 0.5), 3) "
            "median, round(quantile_cont(milliseconds, 0.95), 3) p95, "
            "round(max(milliseconds), 3) slowest FROM calls"
        ),
        "weekly": data.all(_WEEKLY),
        "repeats": data.all(_REPEATS),
        "subgroups": _subgroups(data),
        "data_quality": data.all(_QUALITY),
        "problems": data.all(
            "SELECT p.kind AS kind, sum(p.count)::BIGINT AS problems, count(*) AS calls FROM "
            "(SELECT unnest(problems) AS p FROM calls) GROUP BY 1 ORDER BY 2 DESC, 1"
        ),
    }
    limits_checked = compared_with_limits(summary, limits)
    summary["limits"] = {"verdict": verdict(limits_checked), "held": limits_checked}
    if options.compare:
        summary["compared"] = compared(data, options.site, options.compare)
    return summary


_COUNTS = """
SELECT (SELECT count(*) FROM patients)::BIGINT AS patients,
    count(*)::BIGINT AS calls,
    count(DISTINCT patient)::BIGINT AS patients_asked,
    (SELECT count(DISTINCT encounter) FROM events)::BIGINT AS encounters,
    (SELECT count(DISTINCT "order") FROM events)::BIGINT AS orders,
    (SELECT count(DISTINCT (clinician, day)) FILTER (clinician IS NOT NULL) FROM events)::BIGINT
        AS clinician_days,
    coalesce((SELECT sum(d) FROM (SELECT max(inpatient_days) AS d FROM events GROUP BY encounter)),
        0)::DOUBLE AS inpatient_days,
    count(failed)::BIGINT AS failed,
    count(*) FILTER (critical > 0)::BIGINT AS critical_calls,
    min(day)::VARCHAR AS first, max(day)::VARCHAR AS last
FROM calls
"""
_WEEKLY = """
SELECT date_trunc('week', day)::DATE::VARCHAR AS week, count(*)::BIGINT AS calls,
    sum(info + warning + critical)::BIGINT AS cards FROM calls GROUP BY 1 ORDER BY 1
"""
_REPEATS = """
SELECT rule, count(*)::BIGINT AS patients, sum(n)::BIGINT AS shown, max(n)::BIGINT AS most,
    count(*) FILTER (n > 1)::BIGINT AS again
FROM (SELECT rule, patient, count(*) AS n FROM evaluations WHERE fate = 'shown'
    AND answer = 'fired' GROUP BY ALL)
GROUP BY 1 ORDER BY shown DESC, 1
"""
# The rate at which a rule fires where it can tell estimates what its silence has hidden. Correcting
# one reason changes only the outcomes that have no other reason.
_QUALITY = """
WITH shares AS (
    SELECT rule, count(*) FILTER (answer = 'fired') / nullif(count(*) FILTER
        (answer != 'cannot tell'), 0) AS share FROM evaluations GROUP BY 1
), reasons AS (
    SELECT *, unnest(list_distinct(because)) AS reason, len(list_distinct(because)) = 1 AS alone
    FROM evaluations JOIN shares USING (rule) WHERE answer = 'cannot tell'
)
SELECT reason, count(DISTINCT (patient, time, encounter, "order", topic))::BIGINT AS calls,
    count(DISTINCT patient)::BIGINT AS patients,
    count(*)::BIGINT AS answers,
    count(*) FILTER (alone)::BIGINT AS alone,
    round(coalesce(sum(share) FILTER (alone), 0), 1) AS would_fire,
    list_sort(list(DISTINCT rule)) AS rules
FROM reasons GROUP BY 1 ORDER BY would_fire DESC, alone DESC, answers DESC, 1 LIMIT 100
"""


def _caveats(data: Answers) -> list[Json]:
    return data.all(
        "SELECT c.kind AS kind, sum(c.count)::BIGINT AS resources, count(*)::BIGINT AS patients "
        "FROM (SELECT unnest(caveats) AS c FROM patients) GROUP BY 1 ORDER BY 2 DESC, 1"
    )


def _ranked(counted: Mapping[str, int]) -> list[Json]:
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"kind": kind, "count": count} for kind, count in ranked]


def rules_digest(data: Answers) -> str:
    """A digest of the rules and their versions."""
    rules = data.all("SELECT DISTINCT rule, version FROM evaluations ORDER BY 1, 2")
    return _digest_of([f"{row['rule']} {row['version']}" for row in rules])


def limits_digest(plan: Plan) -> str:
    """A digest of the limits of the first site."""
    from cds_service.population.live import live_site

    limits = live_site(plan.settings, plan.sites[0]).answering.site.limits
    return _digest_of(sorted(f"{key} {limits[key]}" for key in limits))


def _digest_of(names: Sequence[str]) -> str:
    """A short digest of some lines, which shows whether two runs evaluated the same."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def rates(data: Answers, counts: Mapping[str, Any], shown: int, hook: str) -> list[Json]:
    """Cards by four denominators, with published ranges; None where a denominator is zero."""
    inpatient = data.one(
        "SELECT coalesce(sum(info + warning + critical), 0)::BIGINT n FROM calls "
        "WHERE inpatient_days IS NOT NULL"
    )["n"]
    by_clinician = data.one(
        "SELECT coalesce(sum(info + warning + critical), 0)::BIGINT n FROM calls "
        "WHERE clinician IS NOT NULL"
    )["n"]
    with_encounter = data.one(
        "SELECT coalesce(sum(info + warning + critical), 0)::BIGINT n FROM calls "
        "WHERE encounter IS NOT NULL"
    )["n"]
    with_order = shown if HOOKS[hook].drafts else 0
    found = {
        "per 100 encounters": (100 * with_encounter, counts["encounters"]),
        "per inpatient-day": (inpatient, counts["inpatient_days"]),
        "per 100 orders": (100 * with_order, counts["orders"]),
        "per clinician-day": (by_clinician, counts["clinician_days"]),
    }
    return [
        {
            "denominator": name,
            "of": of,
            "cards": round(cards / of, 4) if of else None,
            "published_low": PUBLISHED[name][0],
            "published_high": PUBLISHED[name][1],
        }
        for name, (cards, of) in found.items()
    ]


def _rules(data: Answers) -> list[Json]:
    return data.all(
        """
        SELECT rule, any_value(version) AS version, count(*)::BIGINT AS calls,
            count(*) FILTER (answer = 'fired')::BIGINT AS fired,
            count(*) FILTER (answer = 'cannot tell')::BIGINT AS cannot_tell,
            count(*) FILTER (answer = 'did not fire')::BIGINT AS did_not_fire,
            count(DISTINCT patient) FILTER (answer = 'fired')::BIGINT AS patients,
            count(*) FILTER (fate = 'shown')::BIGINT AS shown,
            count(*) FILTER (fate = 'capped')::BIGINT AS capped,
            count(*) FILTER (fate = 'silent')::BIGINT AS silent,
            count(*) FILTER (indicator = 'info')::BIGINT AS info,
            count(*) FILTER (indicator = 'warning')::BIGINT AS warning,
            count(*) FILTER (indicator = 'critical')::BIGINT AS critical
        FROM evaluations GROUP BY 1 ORDER BY fired DESC, 1
        """
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927)."""
    if not of:
        return 0.0, 1.0
    z = 1.959964
    p = hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * (p * (1 - p) / of + z * z / (4 * of * of)) ** 0.5
    return max(0.0, middle - half), min(1.0, middle + half)


def _subgroups(data: Answers) -> list[Json]:
    """The share of patients with a card in each age band, sex and group of the site, with its
    95 % interval."""
    rows = data.all(
        """
        SELECT "group", value, count(DISTINCT patient)::BIGINT AS patients,
            count(DISTINCT patient) FILTER (info + warning + critical > 0)::BIGINT AS with_card,
            count(*)::BIGINT AS calls
        FROM (
            SELECT *, unnest(list_concat([{'group': 'age', 'value': age_band},
                {'group': 'sex', 'value': sex}], subgroups), recursive := true) FROM calls
        ) GROUP BY "group", value ORDER BY "group" != 'age', "group" != 'sex', "group", value
        """
    )
    for row in rows:
        low, high = wilson(row["with_card"], row["patients"])
        share = row["with_card"] / row["patients"]
        row.update(share=round(share, 4), low=round(low, 4), high=round(high, 4))
    return rows


def compared(data: Answers, site: str, other: str) -> Json:
    """What another site's settings would change: by rule, and the rows (at most 1,000)."""
    keys = 'time, patient, encounter, "order", hook, topic, rule'
    # NULL (what a call does not have) equals nothing, so both sides use '' instead.
    columns = """* REPLACE (coalesce(encounter, '') AS encounter, coalesce("order", '') AS "order",
        coalesce(patient, '') AS patient)"""
    first, second = (quoted(name) for name in (site, other))
    rows = f"""
        SELECT {keys}, a.fate = 'shown' AS was, b.fate = 'shown' AS will,
            a.indicator AS indicator_was, b.indicator AS indicator_will
        FROM (SELECT {columns} FROM every_evaluation WHERE site = '{first}') a
        FULL JOIN (SELECT {columns} FROM every_evaluation WHERE site = '{second}') b
        USING ({keys})
    """
    changed = f"""
        SELECT *, CASE WHEN coalesce(will, false) AND NOT coalesce(was, false) THEN 'appears'
            WHEN coalesce(was, false) AND NOT coalesce(will, false) THEN 'vanishes'
            ELSE 'changes indicator' END AS change
        FROM ({rows}) WHERE coalesce(was, false) != coalesce(will, false)
            OR (was AND will AND indicator_was IS DISTINCT FROM indicator_will)
    """
    return {
        "site": site,
        "other": other,
        "by_rule": data.all(
            f"SELECT rule, change, count(*)::BIGINT AS calls FROM ({changed}) "
            "GROUP BY ALL ORDER BY calls DESC, rule, change"
        ),
        "rows": data.all(
            f"SELECT strftime(time, '%Y-%m-%dT%H:%M:%SZ') AS time, patient, encounter, \"order\", "
            f"rule, change, indicator_was, indicator_will FROM ({changed}) "
            "ORDER BY ALL LIMIT 1000"
        ),
    }
