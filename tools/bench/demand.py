"""What a hospital needs: arithmetic over measured costs and stated assumptions.

``python -m tools.bench.capacity --from-figures openings=60 busiest_hour=0.15`` prints the page
again with other assumptions, without measuring.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

SECONDS_A_DAY = 86_400
KEPT_AFTER_S = 660
"""An id is kept for a minute of leeway, and until the clearing that comes every ten minutes."""


@dataclass(frozen=True)
class Assumption:
    """One number nobody measured: ``why`` says what it stands on."""

    name: str
    value: float
    unit: str
    why: str


ASSUMPTIONS = (
    Assumption("occupied", 0.85, "of beds", "a full house, most of the year"),
    Assumption(
        "openings",
        40,
        "chart openings per occupied bed and day",
        "nurses in three shifts, physicians, pharmacy, therapists; as if every one of them "
        "asked, although sites do well to ask only for some roles",
    ),
    Assumption(
        "visits", 3, "outpatient and emergency visits per bed and day", "clinics beside the wards"
    ),
    Assumption("openings_visit", 5, "chart openings per visit", "desk, nurse, physician, again"),
    Assumption(
        "picks", 15, "calls of order-select per occupied bed and day", "each pick or change asks"
    ),
    Assumption("picks_visit", 3, "calls of order-select per visit", "as above"),
    Assumption(
        "busiest_hour", 0.12, "of a day's calls in its busiest hour", "an even day would be 0.042"
    ),
    Assumption(
        "burst", 3, "times that hour's mean in its busiest seconds", "ward rounds begin together"
    ),
    Assumption("with_cards", 0.2, "of calls end in cards", "most records hold nothing for us"),
    Assumption("cards", 2, "cards in an answer that has any", "sites cap the info cards"),
    Assumption("answered", 0.3, "of shown cards get feedback", "clients send it when one is left"),
    Assumption(
        "missing", 0.1, "of calls bring no prefetch, so that all is fetched", "a client's limits"
    ),
    Assumption("token_life", 300, "seconds a token is good for", "the client decides"),
    Assumption("core", 1, "times the speed of the core measured on", "your processor"),
    Assumption(
        "busy", 0.5, "of a core's time used at the peak, at most", "room for the unforeseen"
    ),
)


@dataclass(frozen=True)
class Hospital:
    """So many beds; a system is its hospitals' beds together."""

    name: str
    beds: int


HOSPITALS = (
    Hospital("100 beds", 100),
    Hospital("500 beds", 500),
    Hospital("1,500 beds", 1_500),
    Hospital("10 hospitals of 500 beds", 5_000),
)


@dataclass(frozen=True)
class Costs:
    """What one thing costs, measured: processor milliseconds, MB (10^6 bytes), bytes.

    ``fetched_ms`` is a whole call whose data are fetched; ``token_ms`` is what a token adds.
    ``shown_rows`` is the most counters of one day: one for each rule of each service.
    """

    cards_ms: float
    none_ms: float
    orders_ms: float
    token_ms: float
    fetched_ms: float
    replica_mb: float
    feedback_bytes: float
    shown_bytes: float
    token_bytes: float
    shown_rows: int


@dataclass(frozen=True)
class Need:
    """What one hospital needs. ``busy_cores`` is what the calls of the peak second take."""

    calls_day: float
    mean_second: float
    peak_second: float
    busy_cores: float
    cores: float
    replicas: int
    memory_mb: float
    writes_second: float
    feedback_day: float
    database_mb_year: float
    tokens_mb: float

    @property
    def spare(self) -> float:
        """How many times the calls these replicas bear: how wrong the assumptions may be."""
        return (self.replicas - 1) / self.cores


def assumed(changes: Mapping[str, float]) -> tuple[Assumption, ...]:
    """The assumptions with ``changes`` by name. Raises ValueError for a name that is none."""
    known = {one.name for one in ASSUMPTIONS}
    for name in changes:
        if name not in known:
            raise ValueError(f"{name} is no assumption; there are {', '.join(sorted(known))}")
    return tuple(replace(one, value=changes.get(one.name, one.value)) for one in ASSUMPTIONS)


def need(hospital: Hospital, costs: Costs, assumptions: Sequence[Assumption]) -> Need:
    """The arithmetic, step by step."""
    a = {one.name: one.value for one in assumptions}
    occupied = hospital.beds * a["occupied"]
    visits = hospital.beds * a["visits"]
    openings = occupied * a["openings"] + visits * a["openings_visit"]
    picks = occupied * a["picks"] + visits * a["picks_visit"]
    calls = openings + picks
    peak = calls * a["busiest_hour"] / 3600 * a["burst"]

    opening_ms = a["with_cards"] * costs.cards_ms + (1 - a["with_cards"]) * costs.none_ms
    given_ms = (openings * opening_ms + picks * costs.orders_ms) / calls
    call_ms = (1 - a["missing"]) * given_ms + a["missing"] * costs.fetched_ms + costs.token_ms
    busy_cores = peak * call_ms / 1000 / a["core"]
    cores = busy_cores / a["busy"]
    # One worker computes on one core; one replica more than enough, so that one may be away.
    replicas = max(2, math.ceil(cores) + 1)

    shown = calls * a["with_cards"] * a["cards"]
    feedback = shown * a["answered"]
    kept_mb = (feedback * costs.feedback_bytes + costs.shown_rows * costs.shown_bytes) / 1e6
    feedback_peak = feedback * a["busiest_hour"] / 3600 * a["burst"]
    tokens = calls * a["busiest_hour"] / 3600 * (a["token_life"] + KEPT_AFTER_S)
    return Need(
        calls_day=calls,
        mean_second=calls / SECONDS_A_DAY,
        peak_second=peak,
        busy_cores=busy_cores,
        cores=cores,
        replicas=replicas,
        memory_mb=replicas * costs.replica_mb,
        # Each token's id, each feedback call, and each replica's counters every two seconds.
        writes_second=peak + feedback_peak + replicas / 2,
        feedback_day=feedback,
        database_mb_year=kept_mb * 365,
        tokens_mb=tokens * costs.token_bytes / 1e6,
    )


def needs_table(costs: Costs, assumptions: Sequence[Assumption]) -> str:
    """What each hospital needs, as a Markdown table."""
    found = {one.name: need(one, costs, assumptions) for one in HOSPITALS}
    rows = (
        ("calls a day", lambda one: f"{one.calls_day:,.0f}"),
        ("calls a second, mean", lambda one: f"{one.mean_second:.1f}"),
        ("calls a second, peak", lambda one: f"{one.peak_second:.1f}"),
        ("cores busy at the peak", lambda one: f"{one.busy_cores:.2f}"),
        ("**cores to give**", lambda one: f"**{one.cores:.2f}**"),
        ("**replicas of one worker**", lambda one: f"**{one.replicas}**"),
        ("times these calls until it needs one more", lambda one: f"{one.spare:,.1f}"),
        ("memory of all replicas, MB", lambda one: f"{one.memory_mb:,.0f}"),
        ("database: transactions a second at the peak", lambda one: f"{one.writes_second:.1f}"),
        ("database: feedback rows a day", lambda one: f"{one.feedback_day:,.0f}"),
        ("database: growth a year, MB", lambda one: f"{one.database_mb_year:,.0f}"),
        ("database: token ids, MB, not growing", lambda one: f"{one.tokens_mb:,.1f}"),
    )
    lines = [f"| | {' | '.join(found)} |", f"|---|{'--:|' * len(found)}"]
    for label, shown in rows:
        lines.append(f"| {label} | {' | '.join(shown(one) for one in found.values())} |")
    return "\n".join(lines)


def assumptions_table(assumptions: Sequence[Assumption]) -> str:
    """Every assumption as a Markdown table."""
    lines = ["| assumption | value | | judged by |", "|---|--:|---|---|"]
    lines += [f"| `{one.name}` | {one.value:g} | {one.unit} | {one.why} |" for one in assumptions]
    return "\n".join(lines)


def read_changes(texts: Sequence[str]) -> dict[str, float]:
    """``["openings=60"]`` as numbers by name. Raises ValueError for anything else."""
    changes = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            changes[name] = float(value)
        except ValueError:
            raise ValueError(f"{text}: say NAME=NUMBER") from None
    return changes
