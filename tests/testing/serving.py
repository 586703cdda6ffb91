"""The service under faults: `cds-service serve` as its own process group, on loopback."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

PATIENCE_S = 40.0
HOST = "127.0.0.1"
PROGRAM = os.environ.get("FAULTS_PROGRAM") or str(Path(sys.executable).with_name("cds-service"))
"""The program to start; that of another release gives its figures."""
CARDS = "SELECT card FROM feedback UNION SELECT card FROM unknown_feedback"
_SHORT_RETRY = (
    "import sys; from cds_service.trust import keys; keys.RETRY = float(sys.argv.pop(1)); "
    "from cds_service.cli import main; main()"
)


class NotInTimeError(RuntimeError):
    """Something expected did not happen in time."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> float:
    """Wait until ``holds()``; the seconds it took. Raises NotInTimeError."""
    started = time.monotonic()
    while not holds():
        if time.monotonic() - started > patience_s:
            raise NotInTimeError(f"{what} did not come within {patience_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - started


class Service:
    """One running `cds-service serve`; make it with `serving`.

    ``settings`` are CDS_ variables without the prefix. ``key_retry_s``: overrides how soon a key
    server is asked again, for quick runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        settings: Mapping[str, str] | None = None,
        key_retry_s: float | None = None,
    ) -> None:
        self.port = free_port()
        self.workers = workers
        self._log = folder / f"service-{self.port}.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
        environ["CDS_DATABASE_URL"] = f"sqlite:///{folder}/records.db"
        environ["CDS_PUBLIC_URL"] = "http://cds.example"
        environ |= {f"CDS_{name}": value for name, value in (settings or {}).items()}
        self._key_retry_s = key_retry_s
        serve = ["serve", "--host", HOST, "--port", str(self.port), "--workers", str(workers)]
        self._log.touch()
        self.process = self.start(serve, environ, self._log)

    def start(self, words: list[str], environ: dict[str, str], log: Path) -> Any:
        """The program as a process of its own session, as `subprocess.Popen` would give it."""
        program = [PROGRAM]
        if self._key_retry_s is not None:
            program = [sys.executable, "-c", _SHORT_RETRY, str(self._key_retry_s)]
        with log.open("wb") as out:
            return psutil.Popen(
                [*program, *words],
                stdout=out, stderr=out, env=environ, cwd=log.parent, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """What the service and its workers have written."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def started(self) -> int:
        """How many workers have started so far."""
        return self.log.count("Started worker-")

    def worker_processes(self) -> list[psutil.Process]:
        """The workers that live now, oldest first."""
        told = [int(pid) for pid in re.findall(r"Spawning worker-\d+ with PID: (\d+)", self.log)]
        found = []
        for pid in told:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                    found.append(process)
        return found

    def says(self, path: str) -> str:
        """The text of a GET; empty unless it was answered with 200."""
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"http://{HOST}:{self.port}{path}", timeout=10)
            return answer.text if answer.status_code == 200 else ""
        return ""

    def degraded(self) -> bool:
        """Whether /readyz says that the database is unavailable."""
        return "degraded" in self.says("/readyz")

    def wait_ready(self) -> None:
        """Wait until all workers are there and the service answers. Raises NotInTimeError."""

        def there() -> bool:
            if self.process.poll() is not None:
                raise NotInTimeError(f"the service ended with {self.process.returncode}")
            return self.started >= self.workers and bool(self.says("/healthz"))

        until(there, "the service")

    def stop(self) -> int:
        """SIGTERM to the main process; its exit status. Raises NotInTimeError."""
        self.process.terminate()
        try:
            return int(self.process.wait(PATIENCE_S))
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            raise NotInTimeError("the service did not end after SIGTERM") from None

    def kill(self) -> None:
        """End whatever still runs: the whole group, because a dying worker would be replaced."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not self.worker_processes(), "the end of the killed workers")

    def faults(self) -> list[str]:
        """The kinds of unforeseen errors in the log, those of single rules included."""
        events = r'"event": ?"(?:unforeseen_error|rule_failed)"[^\n]*|Traceback \(most recent[^\n]*'
        return re.findall(events, self.log)


@contextmanager
def serving(folder: Path, **options: object) -> Iterator[Service]:
    """A service that runs inside the block and has certainly ended after it; see `Service`."""
    made = Service(folder, **options)  # type: ignore[arg-type]
    try:
        made.wait_ready()
        yield made
    finally:
        made.kill()


def stored_cards(folder: Path) -> set[str]:
    """The cards whose feedback is in the SQLite file in ``folder``."""
    with contextlib.closing(sqlite3.connect(folder / "records.db", timeout=20)) as kept:
        return {str(card) for (card,) in kept.execute(CARDS)}
