"""Two instances on one database, as two hosts would be: real servers, real tokens."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.given_service import VIEW, body, feedback
from tests.conformance.given_caller import Client
from tests.feedback.conftest import (
    cluster,
    database_url,
    empty_postgres,
    postgres_server,
    shared_postgres,
    sqlite_url,
)

__all__ = ["cluster", "database_url", "empty_postgres", "postgres_server", "shared_postgres",
           "sqlite_url"]  # fmt: skip

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30
FEEDBACK = f"{VIEW}/feedback"


class Instance:
    """One ``cds-service serve`` in its own process group."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
        self._log = folder / f"server-{self.port}.log"
        program = "from cds_service.cli import main; main()"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, "serve", "--port", str(self.port),
                 "--workers", "1"],
                env=environ | settings | {"PYTHONPATH": str(ROOT)},
                cwd=folder, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def ask(
        self, method: str, path: str, content: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request(
                method,
                path,
                None if content is None else json.dumps(content),
                {"Content-Type": "application/json"} | (headers or {}),
            )
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    def wait(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", "/readyz")[0] == 200:
                    return
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def ehr(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.fixture
def instances(tmp_path: Path, database_url: str, ehr: Client) -> Iterator[list[Instance]]:
    settings = {
        "CDS_DATABASE_URL": database_url,
        "CDS_TRUSTED_CLIENTS": ehr.settings["trusted_clients"],
        "CDS_PUBLIC_URL": ehr.settings["public_url"],
        "CDS_SNOOZE": "1",
    }
    started = [Instance(tmp_path, settings) for _ in range(2)]
    try:
        for one in started:
            one.wait()
        yield started
    finally:
        for one in started:
            one.stop()


@pytest.mark.slow
def test_two_instances_share_replay_feedback_and_snooze(
    instances: list[Instance], ehr: Client, tmp_path: Path, database_url: str
) -> None:
    first, second = instances
    token = ehr.signed(VIEW)

    status, found = first.ask("POST", VIEW, body(), token)

    assert status == 200
    (low,) = [card for card in found["cards"] if card["indicator"] == "warning"]
    topic = low["source"]["topic"]["code"]
    # The token that was used there is used up here.
    assert second.ask("POST", VIEW, body(), token)[0] == 401
    assert topic in _topics(second, ehr)

    # An answer given at the second is known to the first, and quiets both.
    status, _ = second.ask("POST", FEEDBACK, feedback(low["uuid"]), ehr.signed(FEEDBACK))

    assert status == 200
    assert topic not in _topics(first, ehr)
    assert topic not in _topics(second, ehr)
    assert _reported(tmp_path, database_url) == 1


def _topics(instance: Instance, ehr: Client) -> list[str]:
    status, found = instance.ask("POST", VIEW, body(), ehr.signed(VIEW))
    assert status == 200
    return [card["source"]["topic"]["code"] for card in found["cards"]]


def _reported(folder: Path, url: str) -> int:
    """What ``cds-service report`` counts, from a third process."""
    program = "from cds_service.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "report", "--json"],
        env=os.environ | {"CDS_DATABASE_URL": url, "PYTHONPATH": str(ROOT)},
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    total: int = json.loads(done.stdout)["total"]
    return total
