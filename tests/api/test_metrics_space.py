"""Metrics never stop a card: their files have all their space from the start, or are not used."""

from __future__ import annotations

import os
from pathlib import Path

from tests.testing.programs import run_program

_COUNT = """
import errno, os, sys
from cds_service.ops import metrics_files
full = sys.argv[1] == "full"
with metrics_files.shared_folder():
    folder = os.environ[metrics_files.FOLDER]
    metrics_files.reserve(30)
    from cds_service.ops.metrics import Metrics
    metrics = Metrics(by_site=True)
    if full:
        def no_room(*_):
            raise OSError(errno.ENOSPC, "No space left on device")
        os.posix_fallocate = no_room
        try:
            metrics_files.reserve()
        except OSError:
            metrics.stop()
    from hooks import TOPIC
    for site in map("site-{:016}".format, range(30)):
        for rule in TOPIC.rules:
            for word in ("fired", "did not fire", "cannot tell"):
                metrics.outcomes([(rule.id, word)], site)
            for indicator in ("warning", "critical"):
                metrics.shown(rule.id, indicator, site)
            metrics.dropped(rule.id, site)
            metrics.would_show(rule.id, site)
        metrics.problems(map("a-kind-of-problem-{}".format, range(30)), site)
    metrics.audit_lost(1)
    metrics.fhir_breaker("https://fhir.example", "open")
    metrics.refused("calls")
    metrics.call("leg-cramps-patient-view", 0.1)
    metrics.problems(["no-unit"], "site-1")
    text = metrics.exposition().decode()
    file = f"{folder}/counter_{os.getpid()}.db"
    size = os.stat(file).st_size if os.path.exists(file) else 0  # where nothing is counted
    breaker = 'cds_breaker_open{partner="fhir",server="https://fhir.example"} 1.0'
    print(metrics.counts, breaker in text,
          size == metrics_files._ROOM + 30 * metrics_files._ROOM_PER_SITE)
"""


def _counted(how: str, tmp_path: Path) -> list[str]:
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    program = run_program("-c", _COUNT, how, folder=tmp_path, environ=environ)
    assert program.returncode == 0, program.stderr
    return program.stdout.split()


def test_without_space_nothing_is_counted_and_nothing_fails(tmp_path: Path) -> None:
    assert _counted("full", tmp_path)[:2] == ["False", "False"]


def test_all_series_of_thirty_sites_fit_into_the_reserved_space(tmp_path: Path) -> None:
    assert _counted("free", tmp_path) == ["True", "True", "True"]
