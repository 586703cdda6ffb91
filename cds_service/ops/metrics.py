"""Metrics for Prometheus, summed over all workers.

With ``PROMETHEUS_MULTIPROC_DIR`` set before this module is imported (``cds-service serve`` does
this), every process counts in files in that folder, and each of them can report the sum.
Label values come from closed lists only: nothing that a caller sends becomes a label.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from cds_service.core.identity import DEFAULT_SITE
from cds_service.ops.metrics_files import FOLDER

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class _Nothing:
    """Counts nothing."""

    def inc(self, _amount: float = 1) -> None: ...

    def observe(self, _amount: float) -> None: ...

    def set(self, _value: float) -> None: ...


class Metrics:
    """What the service counts about itself."""

    def __init__(
        self, topic_of: Mapping[str, str] = MappingProxyType({}), *, by_site: bool = False
    ) -> None:
        """``topic_of`` is the topic of each rule, by the rule's id.

        ``by_site``: metrics of rules have the site's name as a label, too.
        """
        self._by_site = by_site
        site = ("site",) if by_site else ()
        disable_created_metrics()  # type: ignore[no-untyped-call]  # no types; one more series for each, of no use
        self._registry = CollectorRegistry()
        requests = self._counter("cds_requests", "HTTP requests.", "endpoint", "service", "status")
        outcomes = self._counter(
            "cds_rule_outcomes", "Outcomes of rules.", "topic", "rule", "answer", *site
        )
        failures = self._counter(
            "cds_rule_failures", "Rules that raised an error.", "topic", "rule"
        )
        steps = self._counter(
            "cds_steps_left_out", "Steps of arranging cards left out because of an error.", "step"
        )
        dropped = self._counter(
            "cds_cards_dropped", "Findings whose card was not shown (cap, snooze).",
            "topic", "rule", *site,
        )  # fmt: skip
        shown = self._counter(
            "cds_cards_shown", "Cards in responses.", "topic", "rule", "indicator", *site
        )
        silent = self._counter(
            "cds_cards_silent",
            "Cards of silent rules, counted and not returned.",
            "topic",
            "rule",
            *site,
        )
        problems = self._counter("cds_problems", "Data that could not be used.", "kind", *site)
        fetches = self._counter("cds_fhir_fetches", "Queries to FHIR servers.", "state")
        feedback = self._counter(
            "cds_feedback", "Feedback of clinicians on cards.", "outcome", *site
        )
        self._audit_lost = Counter(
            "cds_audit_lost", "Calls without a row in the audit trail.", registry=self._registry
        )
        refusals = self._counter(
            "cds_admission_refusals", "Calls that were not admitted: too many, large or slow.",
            "reason",
        )  # fmt: skip
        seconds = Histogram(
            "cds_call_seconds", "Time to answer a call of a service.", ["service"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        breakers = self._counter(
            "cds_breaker_changes", "How often a breaker changed into this state.",
            "partner", "server", "state",
        )  # fmt: skip
        broken = Gauge(
            "cds_breaker_open", "Processes that do not call this partner at present.",
            ["partner", "server"], registry=self._registry, multiprocess_mode="livesum",
        )  # fmt: skip
        # Finding a child by its labels costs more than counting: each is looked up once.
        self._requests = cache(requests.labels)

        def of_rule(counter: Counter) -> Callable[..., Counter]:
            return cache(lambda rule, *more: counter.labels(topic_of.get(rule, ""), rule, *more))

        self._outcomes = of_rule(outcomes)
        self._failures = of_rule(failures)
        self._steps = cache(steps.labels)
        self._dropped = of_rule(dropped)
        self._shown = of_rule(shown)
        self._silent = of_rule(silent)
        self._problems = cache(problems.labels)
        self._fetches = cache(fetches.labels)
        self._feedback = cache(feedback.labels)
        self._refusals = cache(refusals.labels)
        self._seconds = cache(seconds.labels)
        self._breakers = cache(breakers.labels)
        self._broken = cache(broken.labels)
        self.counts = True
        """Whether this process counts anything: not where the disk had no room for it."""

    def stop(self) -> None:
        """Stop counting in this process: metrics must never prevent a card."""

        def nothing(*_labels: str) -> Any:
            return _Nothing()

        self.counts = False
        self._audit_lost = nothing()
        for name in [name for name, value in vars(self).items() if hasattr(value, "cache_info")]:
            setattr(self, name, nothing)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)

    def request(self, endpoint: str, service: str, status: int) -> None:
        """Count one request; ``service`` is "" where it was not for a service."""
        self._requests(endpoint, service, str(status)).inc()

    def call(self, service: str, seconds: float) -> None:
        """Record how long one call of a service took."""
        self._seconds(service).observe(seconds)

    def outcomes(self, answers: Iterable[tuple[str, str]], site: str = DEFAULT_SITE) -> None:
        """Count the outcomes of rules, each given as the rule's id and its answer."""
        find, at = self._outcomes, self._at(site)
        for rule, answer in answers:
            find(rule, answer, *at).inc()

    def _at(self, site: str) -> tuple[str, ...]:
        return (site,) if self._by_site else ()

    def failed(self, rule: str) -> None:
        """Count a rule that raised an error."""
        self._failures(rule).inc()

    def left_out(self, step: str) -> None:
        """Count a step of arranging cards that raised an error and had no effect."""
        self._steps(step).inc()

    def dropped(self, rule: str, site: str = DEFAULT_SITE) -> None:
        """Count a finding whose card was not shown."""
        self._dropped(rule, *self._at(site)).inc()

    def shown(self, rule: str, indicator: str, site: str = DEFAULT_SITE) -> None:
        """Count a card."""
        self._shown(rule, indicator, *self._at(site)).inc()

    def would_show(self, rule: str, site: str = DEFAULT_SITE) -> None:
        """Count a card of a silent rule."""
        self._silent(rule, *self._at(site)).inc()

    def problems(self, kinds: Iterable[str], site: str = DEFAULT_SITE) -> None:
        """Count data that could not be used, by the kinds of `core.facts.Problem`."""
        for kind in kinds:
            self._problems(kind, *self._at(site)).inc()

    def fetched(self, state: str) -> None:
        """Count one query to a FHIR server."""
        self._fetches(state).inc()

    def feedback(self, outcome: str, site: str = DEFAULT_SITE) -> None:
        """Count one element of feedback."""
        self._feedback(outcome, *self._at(site)).inc()

    def audit_lost(self, rows: int) -> None:
        """Count calls whose audit row could not be kept."""
        self._audit_lost.inc(rows)

    def refused(self, reason: str) -> None:
        """Count a call that was not admitted; ``reason`` as in `admission.Admission`."""
        self._refusals(reason).inc()

    def fhir_breaker(self, server: str, state: str) -> None:
        """Record that the breaker of a FHIR server (an entry of an allowlist) changed."""
        self._breaker("fhir", server, state)

    def database_breaker(self, state: str) -> None:
        """Record that the breaker of the database changed."""
        self._breaker("database", "", state)

    def key_server(self, address: str, state: str) -> None:
        """Record that a key server (an address in the client list) failed or responds again."""
        self._breaker("keys", address, state)

    def _breaker(self, partner: str, server: str, state: str) -> None:
        self._breakers(partner, server, state).inc()
        self._broken(partner, server).set(0 if state == "closed" else 1)

    def exposition(self) -> bytes:
        """The metrics of all workers in Prometheus's text format."""
        if not os.environ.get(FOLDER):
            return generate_latest(self._registry)
        for path in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
            pid = path.stem.rpartition("_")[2]
            if not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
                mark_process_dead(int(pid))  # type: ignore[no-untyped-call]  # the library has no types here
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # no types here either
        return generate_latest(together)
