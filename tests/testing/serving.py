"""Servers under faults and load, each a process group on loopback: `cds-service serve`, others."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests
from sqlalchemy import create_engine, make_url, text

PATIENCE_S = 40.0
HOST = "127.0.0.1"
PROGRAM = os.environ.get("FAULTS_PROGRAM") or str(Path(sys.executable).with_name("cds-service"))
"""The program to start; that of another release gives its figures."""
_CARDS = "SELECT card FROM feedback UNION SELECT card FROM unknown_feedback"
_SHORT_RETRY = (
    "import sys; from cds_service.trust import keys; keys.RETRY = float(sys.argv.pop(1)); "
    "from cds_service.cli import main; main()"
)


class NotInTimeError(RuntimeError):
    """Something expected did not happen in time."""


Started = TypeVar("Started", bound="Server")


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
            raise NotInTimeError(f"gave up waiting for {what} after {patience_s:g} s")
        time.sleep(0.02)
    return time.monotonic() - started


def environment() -> dict[str, str]:
    """The environment as users have it: without our settings, and writing bytecode files."""
    dropped = ("CDS_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


class Server:
    """A server as a process group of its own, which `running` starts and ends; its workers are
    the children of its first process.

    ``{port}`` in ``words`` becomes a free port; the log goes into ``folder``.
    """

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._log = folder / f"server-{self.port}.log"
        self._log.touch()
        words = [word.format(port=self.port) for word in words]
        self.process = self.start(words, dict(environ), self._log)
        self.ready_s = 0.0

    def start(self, words: list[str], environ: dict[str, str], log: Path) -> Any:
        """The program as a process of its own session, as `subprocess.Popen` would give it."""
        with log.open("wb") as out:
            return psutil.Popen(
                words, stdout=out, stderr=out, env=environ, cwd=log.parent, start_new_session=True
            )

    @property
    def log(self) -> str:
        """What the server and its workers have written."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def worker_processes(self) -> list[psutil.Process]:
        """The workers alive now."""
        workers: list[psutil.Process] = self.process.children()
        return workers

    def memory_mb(self, kind: str = "VmRSS") -> list[float]:
        """Memory of each worker, in megabytes: what is resident, VmHWM: the peak of that,
        Pss: its share, where what several share is divided among them."""
        file = "smaps_rollup" if kind == "Pss" else "status"
        files = (Path(f"/proc/{worker.pid}/{file}") for worker in self.worker_processes())
        kilobytes = (file.read_text().partition(f"{kind}:")[2].split()[0] for file in files)
        return [int(each) * 1024 / 1e6 for each in kilobytes]

    def answers(self) -> bool:
        """Whether it answers at all."""
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/readyz", timeout=10).status_code < 500
        return False

    def wait_ready(self) -> None:
        """Wait until it answers; ``ready_s`` says how long. Raises NotInTimeError."""

        def ready() -> bool:
            if self.process.poll() is not None:
                outcome = f"the server ended with {self.process.returncode}"
                raise NotInTimeError(f"{outcome}: {self.log[-300:]}")
            return self.answers()

        self.ready_s = until(ready, "the server")

    def kill(self) -> None:
        """End whatever still runs: the whole group, because a dying worker would be replaced."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Service(Server):
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
        self.workers = workers
        environ = environment() | {"CDS_DATABASE_URL": f"sqlite:///{folder}/records.db"}
        environ["CDS_PUBLIC_URL"] = "http://cds.example"
        environ |= {f"CDS_{name}": value for name, value in (settings or {}).items()}
        self.database = environ["CDS_DATABASE_URL"]
        program = [PROGRAM]
        if key_retry_s is not None:
            program = [sys.executable, "-c", _SHORT_RETRY, str(key_retry_s)]
        serve = ["serve", "--host", HOST, "--port", "{port}", "--workers", str(workers)]
        super().__init__([*program, *serve], environ, folder)

    @property
    def started(self) -> int:
        """How many workers have started so far."""
        return self.log.count("Started worker-")

    def worker_processes(self) -> list[psutil.Process]:
        """The workers alive now, oldest first, including those of a killed service."""
        pids = [int(pid) for pid in re.findall(r"Spawning worker-\d+ with PID: (\d+)", self.log)]
        processes = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
                    processes.append(process)
        return processes

    def says(self, path: str) -> str:
        """The text of a GET; empty unless the status was 200."""
        with contextlib.suppress(requests.RequestException):
            answer = requests.get(f"{self.url}{path}", timeout=10)
            return answer.text if answer.status_code == 200 else ""
        return ""

    def degraded(self) -> bool:
        """Whether /readyz says that the database is unavailable."""
        return "degraded" in self.says("/readyz")

    def answers(self) -> bool:
        """Whether all workers are running and the service answers."""
        return self.started >= self.workers and bool(self.says("/healthz"))

    def stop(self) -> int:
        """SIGTERM to the main process; its exit status. Raises NotInTimeError."""
        self.process.terminate()
        try:
            return int(self.process.wait(PATIENCE_S))
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            raise NotInTimeError("the service did not end after SIGTERM") from None

    def kill(self) -> None:
        """As `Server.kill`, and wait for the end of the workers."""
        super().kill()
        until(lambda: not self.worker_processes(), "the end of the killed workers")

    def stored_cards(self) -> set[str]:
        """The cards whose feedback is in its database."""
        url = make_url(self.database)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url)
        with engine.connect() as connection:
            cards = {str(card) for (card,) in connection.execute(text(_CARDS))}
        engine.dispose()
        return cards

    def faults(self) -> list[str]:
        """The kinds of unexpected errors in the log, including those of single rules."""
        events = r'"event": ?"(?:unforeseen_error|rule_failed)"[^\n]*|Traceback \(most recent[^\n]*'
        return re.findall(events, self.log)


@contextmanager
def running(server: Started) -> Iterator[Started]:
    """The server, from its first answer to the end of the block, when it has certainly ended."""
    try:
        server.wait_ready()
        yield server
    finally:
        server.kill()


def serving(folder: Path, **options: Any) -> AbstractContextManager[Service]:
    """A service that runs inside the block; see `Service`."""
    return running(Service(folder, **options))
