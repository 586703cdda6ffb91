"""``report.html``: one page without outside assets, to be read on a screen or on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from cds_service.population import plots
from cds_service.population.evaluating import NO_PATIENT
from cds_service.population.html_tables import number, percent, section, table

Json = Mapping[str, Any]
_STYLE = """
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--back:#f6f8fa;--go:#116329;--no:#a40e26;--open:#7a4d00}
*{box-sizing:border-box}body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);max-width:64rem;
margin:0 auto;padding:1rem}h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem;
border-bottom:1px solid var(--line)}p{margin:.4rem 0}.soft{color:var(--soft)}
.verdict{border-left:.5rem solid var(--open);background:var(--back);padding:.6rem 1rem;margin:.8rem 0}
.verdict b{font-size:1.3rem;color:var(--open)}.go{border-color:var(--go)}.go b{color:var(--go)}
.no-go{border-color:var(--no)}.no-go b{color:var(--no)}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.25rem .5rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}caption{text-align:left;color:var(--soft)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(6.6rem,1fr));gap:.5rem;margin:.8rem 0}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-size:1.25rem;font-weight:600}
svg{width:100%;height:auto;max-width:46rem}.warn{background:#fff8c5;padding:.4rem .8rem}
@page{margin:14mm}
@media print{html{font-size:11px}body{font-size:1rem;max-width:none;padding:0}h2{break-after:avoid}tr,svg{break-inside:avoid}
.wide{overflow:visible}a{color:inherit}}
"""
_VERDICTS = {
    "go": ("Go", "Every limit that the site has set is met."),
    "no-go": ("No-go", "At least one limit that the site has set is not met."),
    "cannot tell": (
        "Cannot tell",
        "No limit is exceeded, but for at least one there was nothing to count.",
    ),
    "no limits": (
        "No limits set",
        "Set [population.limits] in the sites file to get a go or no-go here. Until then, compare "
        "the rates below with those of other systems, which are shown next to them.",
    ),
}


def page(summary: Json) -> str:
    """The page of a summary."""
    parts = [
        _first_screen(summary),
        section("Rates compared with published ones", _rates(summary["rates"])),
        section("Rule by rule", _rules(summary["rules"])),
        section("Data quality: why rules could not tell", _quality(summary)),
    ]
    if "compared" in summary:
        parts.append(section("Compared with other settings", _compared(summary["compared"])))
    if summary["counts"]["calls"]:
        parts += [
            section("Cards per call", plots.distribution(summary["distribution"])),
            section("Week by week", _weekly(summary["weekly"])),
            section("Patients with a card", _subgroups(summary["subgroups"])),
        ]
    parts += [
        section("Repeats for the same patient", _repeats(summary["repeats"])),
        section("Response time", _latency(summary["latency"])),
        section("What was read, and what the export does not say", _read(summary)),
    ]
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Before go-live: {escape(summary['asked']['site'])}</title>"
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _first_screen(summary: Json) -> str:
    run, counts = summary["asked"], summary["counts"]
    held = summary["limits"]["held"]
    verdict = summary["limits"]["verdict"]
    word, why = _VERDICTS[verdict]
    limits = ""
    if held:
        rows = [
            [limit["says"], number(limit["found"]), number(limit["at_most"]),
             {True: "met", False: "not met", None: "nothing to count"}[limit["met"]]]
            for limit in held
        ]  # fmt: skip
        limits = table(["limit", "found", "at most", ""], rows, numbers=(1, 2))
    unknown = sum(rule["cannot_tell"] for rule in summary["rules"])
    answers = sum(rule["calls"] for rule in summary["rules"])
    cards = summary["cards"]
    period = f"{counts['first'] or '-'} to {counts['last'] or '-'}"
    when = {"encounters": "at the start of each encounter", "orders": "at each order"}.get(
        run["at"], f"once for each patient, on {run['at']}"
    )
    identified = (
        '<p class="warn"><b>This page identifies patients:</b> the tables have their ids.</p>'
        if run["identified"]
        else ""
    )
    per = counts["cards"] / counts["calls"] if counts["calls"] else 0
    facts = [
        ("patients", counts["patients"]),
        ("calls", counts["calls"]),
        ("encounters", counts["encounters"]),
        ("orders", counts["orders"]),
        ("clinician-days", counts["clinician_days"]),
        ("inpatient-days", counts["inpatient_days"]),
        ("cards", counts["cards"]),
        ("calls without an answer", counts["failed"]),
    ]
    said = "".join(f"<div><dt>{name}</dt><dd>{number(value)}</dd></div>" for name, value in facts)
    silence = percent(unknown, answers)
    return (
        f"<h1>Before go-live: site {escape(run['site'])}</h1>{identified}"
        f"<p>Evaluated {escape(when)} ({escape(run['hook'])}), {escape(period)}.</p>"
        f'<div class="verdict {verdict.replace(" ", "-")}"><b>{word}</b><p>{escape(why)}</p>'
        f"<p><strong>{number(counts['cards'])} cards on {number(counts['calls'])} calls</strong>, "
        f"{per:.2f} a call: {number(cards['critical'])} critical, {number(cards['warning'])} "
        f"warning, {number(cards['info'])} info. Rules could not tell in {silence} of their "
        f"outcomes.</p>{_most_frequent(summary['rules'])}{_beyond(summary['rates'])}{_left_out(summary)}{limits}"
        f"</div>"
        f"<dl>{said}</dl>"
        f'<p class="soft">Service {escape(run["version"])}; digest of the rules '
        f"{run['rules']}, digest of the limits {run['limits']}.</p>"
    )


def _most_frequent(rules: Sequence[Json]) -> str:
    """The rules with most cards, and those that cannot tell in half of the calls or more."""
    shown = [rule for rule in rules if rule["shown"]]
    blind = [rule for rule in rules if 2 * rule["cannot_tell"] >= rule["calls"]]
    text = ""
    if shown:
        shown.sort(key=lambda rule: -rule["shown"])
        most_shown = ", ".join(f"{rule['rule']} ({number(rule['shown'])})" for rule in shown[:3])
        text += f"<p>Most cards: {escape(most_shown)}.</p>"
    if blind:
        blind.sort(key=lambda rule: -rule["cannot_tell"] / rule["calls"])
        least = ", ".join(
            f"{rule['rule']} ({percent(rule['cannot_tell'], rule['calls'])})" for rule in blind
        )
        text += (
            f"<p><strong>Could not tell in half of the calls or more: {escape(least)}.</strong> Their "
            "silence is not an all-clear: see data quality.</p>"
        )
    return text


def _beyond(rates: Sequence[Json]) -> str:
    """The rates above those that other systems published, which the site's limits may allow."""
    above = ", ".join(
        f"cards {rate['denominator']} ({number(rate['cards'])}; published: "
        f"{rate['published_low']:g} to {rate['published_high']:g})"
        for rate in rates
        if rate["cards"] is not None and rate["cards"] > rate["published_high"]
    )
    return f"<p><strong>Above the published rates:</strong> {escape(above)}.</p>" * bool(above)


def _left_out(summary: Json) -> str:
    """What the figures leave out: data that could not be read, and failed calls."""
    losses = [f"{fault['kind']} ({number(fault['count'])})" for fault in summary["odd"]]
    patients = summary["counts"]["patients"]
    losses += [
        f"age and sex of {number(caveat['patients'])} of {number(patients)} patients"
        for caveat in summary["caveats"]
        if caveat["kind"] == NO_PATIENT and 20 * caveat["patients"] >= patients
    ]
    if failed := summary["counts"]["failed"]:
        losses.append(f"calls without an answer ({number(failed)})")
    if not losses:
        return ""
    more = f" and {len(losses) - 3} more kinds" if len(losses) > 3 else ""
    return (
        f"<p><strong>Not in these figures:</strong> {escape('; '.join(losses[:3]))}{more}. The last "
        "section lists everything.</p>"
    )


def _rates(rates: Sequence[Json]) -> str:
    rows = []
    for rate in rates:
        low, high = rate["published_low"], rate["published_high"]
        value = rate["cards"]
        if value is None:
            comparison = "nothing to count"
        elif value > high:
            comparison = "above"
        else:
            comparison = "below" if value < low else "within"
        rows.append(
            [
                f"cards {rate['denominator']}",
                number(value),
                number(rate["of"]),
                f"{low:g} to {high:g}",
                comparison,
            ]
        )
    return (
        table(["rate", "here", "counted", "six systems", "compared"], rows, numbers=(1, 2))
        + '<p class="soft">Six systems: alerts that interrupt, in six paediatric health systems '
        "(Orenstein 2021: 0.06 to 0.76 per encounter, which is 6 to 76 per 100). A clinician-day "
        "there is a day on which a clinician used the record at all; here it is a day on which a clinician "
        "had an encounter or, with --at orders, placed an order.</p>"
    )


def _rules(rules: Sequence[Json]) -> str:
    names = [
        "calls",
        "fired",
        "patients",
        "shown",
        "capped",
        "silent",
        "critical",
        "warning",
        "info",
    ]
    rows = [
        [rule["rule"], rule["version"], *(number(rule[name]) for name in names),
         number(rule["cannot_tell"]), percent(rule["cannot_tell"], rule["calls"])]
        for rule in rules
    ]  # fmt: skip
    header = ["rule", "version", *names, "cannot tell", "share"]
    return table(header, rows, numbers=range(2, len(header)))


def _quality(summary: Json) -> str:
    rows = [
        [row["reason"], ", ".join(row["rules"]), number(row["answers"]), number(row["alone"]),
         f"{row['would_fire']:,.0f}", number(row["patients"])]
        for row in summary["data_quality"][:40]
    ]  # fmt: skip
    problems = [
        [problem["kind"], number(problem["problems"]), number(problem["calls"])]
        for problem in summary["problems"]
    ]
    return (
        "<p>The reasons are ranked by what a correction would change: the findings to expect if the "
        "problem were corrected, at the rate at which the rule fires where it can tell. An outcome "
        "with several reasons would need all of them corrected, and is not among the findings to "
        "expect.</p>"
        + table(
            ["what was missing or unreadable", "rules", "outcomes affected", "with no other reason",
             "findings to expect", "patients"],
            rows,
            numbers=(2, 3, 4, 5),
        )
        + "<p>Entries that arrived and could not be used, by kind:</p>"
        + table(["kind", "entries", "calls"], problems, numbers=(1, 2))
    )  # fmt: skip


def _compared(compared: Json) -> str:
    rows = [[row["rule"], row["change"], number(row["calls"])] for row in compared["by_rule"]]
    changes = [
        [row["time"], row["patient"], row["rule"], row["change"], row["indicator_was"] or "",
         row["indicator_will"] or ""]
        for row in compared["rows"][:20]
    ]  # fmt: skip
    return (
        f"<p>What would change with the settings of site {escape(compared['other'])}, compared with "
        f"{escape(compared['site'])}. Up to 1,000 of these changes are in summary.json, and all of "
        "them in evaluations.parquet.</p>"
        + table(["rule", "change", "calls"], rows, numbers=(2,))
        + table(["time", "patient", "rule", "change", "was", "would be"], changes)
    )


def _weekly(weeks: Sequence[Json]) -> str:
    return plots.weekly(weeks) + (
        "<p class='soft'>A week outside the limits differs from the others by more than chance "
        "explains: find out what changed in the data or in care.</p>"
    )


def _subgroups(rows: Sequence[Json]) -> str:
    lines = [
        [row["group"].replace("_", " "), row["value"], number(row["patients"]), number(row["calls"]),
         f"{100 * row['share']:.1f} %", f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"]
        for row in rows
    ]  # fmt: skip
    return plots.subgroups(rows) + table(
        ["group", "value", "patients", "calls", "with a card", "95 % interval"],
        lines,
        numbers=(2, 3),
    )


def _repeats(rows: Sequence[Json]) -> str:
    lines = [
        [row["rule"], number(row["shown"]), number(row["patients"]), number(row["again"]),
         number(row["most"]), f"{row['shown'] / row['patients']:.1f}"]
        for row in rows
    ]  # fmt: skip
    return table(
        ["rule", "shown", "patients", "more than once", "most on one patient", "mean"],
        lines,
        numbers=range(1, 6),
    )


def _latency(latency: Json) -> str:
    row = [number(latency[name]) for name in ("mean", "median", "p95", "slowest")]
    return "<p>Milliseconds per call: reading, rules and cards.</p>" + table(
        ["mean", "median", "95th percentile", "slowest"], [row], numbers=range(4)
    )


def _read(summary: Json) -> str:
    caveats = [
        [caveat["kind"], number(caveat["resources"]), number(caveat["patients"])]
        for caveat in summary["caveats"]
    ]
    odd = [[fault["kind"], number(fault["count"])] for fault in summary["odd"]]
    types = [[kind, number(count)] for kind, count in summary["resources"].items()]
    return (
        "<p>What the export does not say about the past, and how that was handled:</p>"
        + table(["caveat", "resources", "patients"], caveats, numbers=(1, 2))
        + "<p>Odd data that was left out and counted:</p>"
        + table(["what", "count"], odd, numbers=(1,))
        + "<p>Resources:</p>"
        + table(["type", "count"], types, numbers=(1,))
    )
