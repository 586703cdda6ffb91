"""Two instances on one database, as two hosts would be: real servers, real tokens."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.api.minimal_service import VIEW, body, feedback
from tests.conformance.signing_client import Client
from tests.feedback.conftest import (
    cluster,
    database_url,
    empty_postgres,
    kind,
    postgres_server,
    shared_postgres,
    sqlite_url,
)
from tests.testing.programs import Program, run_program
from tests.testing.serving import PATIENCE_S, Service

__all__ = ["cluster", "database_url", "empty_postgres", "kind", "postgres_server",
           "shared_postgres", "sqlite_url"]  # fmt: skip

FEEDBACK = f"{VIEW}/feedback"


class Instance(Service):
    """One instance, with one worker."""

    def start(self, words: list[str], environ: dict[str, str], log: Path) -> Program:
        return Program("cds_service", *words[1:], folder=log.parent, environ=environ, out=log)

    def ask(
        self, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        address = f"{self.url}{path}"
        answer = requests.request(
            method, address, json=content, headers=headers, timeout=PATIENCE_S
        )
        return answer.status_code, answer.json()


@pytest.fixture
def ehr(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.fixture
def instances(tmp_path: Path, database_url: str, ehr: Client) -> Iterator[list[Instance]]:
    settings = {
        "DATABASE_URL": database_url,
        "TRUSTED_CLIENTS": ehr.settings["trusted_clients"],
        "PUBLIC_URL": ehr.settings["public_url"],
        "SNOOZE": "1",
    }
    started = [Instance(tmp_path, workers=1, settings=settings) for _ in range(2)]
    try:
        for instance in started:
            instance.wait_ready()
        yield started
    finally:
        for instance in started:
            instance.kill()


@pytest.mark.slow
def test_two_instances_share_replay_feedback_and_snooze(
    instances: list[Instance], ehr: Client, tmp_path: Path, database_url: str
) -> None:
    first, second = instances
    token = ehr.signed(VIEW)

    status, answer = first.ask("POST", VIEW, body(), token)

    assert status == 200
    (low,) = [card for card in answer["cards"] if card["indicator"] == "warning"]
    topic = low["source"]["topic"]["code"]
    # A token used at one instance is refused at the other.
    assert second.ask("POST", VIEW, body(), token)[0] == 401
    assert topic in _topics(second, ehr)

    # Feedback given at the second instance is known to the first, and snoozes the card at both.
    status, _ = second.ask("POST", FEEDBACK, feedback(low["uuid"]), ehr.signed(FEEDBACK))

    assert status == 200
    assert topic not in _topics(first, ehr)
    assert topic not in _topics(second, ehr)
    assert _reported(tmp_path, database_url) == 1


def _topics(instance: Instance, ehr: Client) -> list[str]:
    status, answer = instance.ask("POST", VIEW, body(), ehr.signed(VIEW))
    assert status == 200
    return [card["source"]["topic"]["code"] for card in answer["cards"]]


def _reported(folder: Path, url: str) -> int:
    """What ``cds-service report`` counts, from a third process."""
    environ = os.environ | {"CDS_DATABASE_URL": url}
    program = run_program("cds_service", "report", "--json", folder=folder, environ=environ)
    assert program.returncode == 0, program.stderr
    total: int = json.loads(program.stdout)["total"]
    return total
