"""The service under faults: `cds-service serve` as its own process group, on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PATIENCE_S = 40.0
HOST = "127.0.0.1"
_SPAWNED = re.compile(r"Spawning worker-\d+ with PID: (\d+)")
_SHORT_RETRY = (
    "import sys; from cds_service.trust import keys; keys.RETRY = float(sys.argv.pop(1)); "
    "from cds_service.cli import main; main()"
)


class NotInTimeError(RuntimeError):
    """Something that must come did not, within its patience."""


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


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

    ``settings`` are CDS_ variables without the prefix. ``largest_file``: bytes a file of the
    service may grow to (a disk that is full). ``key_retry_s``: overrides how soon a key
    server is asked again, for quick runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
        key_retry_s: float | None = None,
    ) -> None:
        self.port = port or free_port()
        self.workers = workers
        self.folder = folder
        self._log = folder / f"service-{self.port}.log"
        self._read_from = self._log.stat().st_size if self._log.exists() else 0
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
        environ["CDS_DATABASE_URL"] = f"sqlite:///{folder}/records.db"
        environ["CDS_PUBLIC_URL"] = "http://cds.example"
        environ |= {f"CDS_{name}": value for name, value in (settings or {}).items()}
        serve = ["serve", "--host", HOST, "--port", str(self.port), "--workers", str(workers)]
        program = [str(Path(sys.executable).with_name("cds-service"))]
        if key_retry_s is not None:
            program = [sys.executable, "-c", _SHORT_RETRY, str(key_retry_s)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, *serve],
                stdout=log, stderr=log, env=environ, cwd=folder, start_new_session=True,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """What this process and its workers have written."""
        return self._log.read_bytes()[self._read_from :].decode("utf-8", "replace")

    def worker_pids(self) -> list[int]:
        """The workers that live now, oldest first."""
        told = [int(pid) for pid in _SPAWNED.findall(self.log)]
        return [pid for pid in told if _lives(pid)]

    def get(self, path: str, timeout: float = 10) -> tuple[int, bytes]:
        """Status and body of a GET."""
        line = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            return answer.status, answer.read()
        finally:
            line.close()

    def ready(self) -> bool:
        """Whether /readyz says so."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/readyz")[0] == 200
        return False

    def alive(self) -> bool:
        """Whether /healthz answers."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/healthz")[0] == 200
        return False

    def wait_ready(self) -> None:
        """Wait until all workers are there and the service is ready. Raises NotInTimeError."""

        def there() -> bool:
            if self.process.poll() is not None:
                raise NotInTimeError(f"the service ended with {self.process.returncode}")
            return self.log.count("Started worker-") >= self.workers and self.alive()

        until(there, "the service")

    def stop(self, patience_s: float = PATIENCE_S) -> int:
        """SIGTERM to the main process; its exit status. Raises NotInTimeError."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise NotInTimeError("the service did not end after SIGTERM") from None

    def kill(self) -> None:
        """End whatever of it still lives: the group, as a dying worker would be replaced."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until(lambda: not self.worker_pids(), "the end of the killed workers")

    def faults(self) -> list[str]:
        """The kinds of unforeseen errors in the log, those of single rules included."""
        found = re.findall(r'"event": ?"(?:unforeseen_error|rule_failed)"[^\n]*', self.log)
        return found + re.findall(r"Traceback \(most recent[^\n]*", self.log)

    def rss_kb(self) -> dict[int, int]:
        """Resident memory of each worker, in KiB."""
        return {pid: rss for pid in self.worker_pids() if (rss := _rss_kb(pid))}


@contextmanager
def serving(
    folder: Path,
    *,
    workers: int = 2,
    settings: Mapping[str, str] | None = None,
    port: int | None = None,
    key_retry_s: float | None = None,
    wait: bool = True,
) -> Iterator[Service]:
    """A service that is there inside the block and certainly gone after it."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Service(folder, workers=workers, settings=settings, port=port, key_retry_s=key_retry_s)
    try:
        if wait:
            made.wait_ready()
        yield made
    finally:
        made.kill()


def limit_files(pids: Iterable[int], largest: int | None) -> None:
    """Let no file of these processes grow beyond ``largest`` bytes; None lifts the limit."""
    for pid in pids:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if largest is None else largest, hard))


def end_on_signals() -> None:
    """Turn SIGTERM into an exception, so that every started process is ended on the way out."""

    def told(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, told)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _rss_kb(pid: int) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) if found else 0
    return 0
