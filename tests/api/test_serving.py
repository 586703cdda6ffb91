"""The server's processes: start, stop, crash, many connections, slow and oversized bodies."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cds_service.errors import StartupError
from cds_service.serving.server import refuse_unguarded, with_public_url
from cds_service.settings import read_settings
from cds_service.trust.inspect import make_key_pair, sign_token
from tests.api.minimal_service import VIEW, body
from tests.testing.programs import Program, run_program

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20


class Running:
    """A server in its own process group, with its standard error kept."""

    def __init__(
        self, folder: Path, workers: int, slow_s: float, host: str = "127.0.0.1", **settings: str
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._log = folder / "server.log"
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
        environ |= {
            "CDS_DATABASE_URL": f"sqlite:///{folder}/records.db",
            "CDS_MAX_BODY_MB": "1",
            "CDS_TEST_SLOW_S": str(slow_s),
            "PYTHONPATH": str(ROOT),
        } | settings
        self.process = Program(
            "tests.api.serving_program", host, str(self.port), str(workers),
            folder=folder, environ=environ, out=self._log,
        )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < end, f"no sign of {what}:\n{self.log}"
            assert self.process.poll() is None, f"ended before {what}:\n{self.log}"
            time.sleep(0.02)

    def ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get("/readyz")[0] == 200
        return False

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request("GET", path)
        response = connection.getresponse()
        response_read = response.status, response.read().decode()
        connection.close()
        return response_read

    def call(self, patient: str = "p1", token: str = "") -> tuple[int, str]:
        content = json.dumps(
            body(
                context={"userId": "Practitioner/7", "patientId": patient},
                prefetch={"orders": None},
            )
        )
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("POST", VIEW, content, {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        response_read = response.status, response.read().decode()
        connection.close()
        return response_read

    def workers(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"Spawning worker-\d+ with PID: (\d+)", self.log)]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(workers: int = 1, slow_s: float = 0, **settings: str) -> Running:
        server = Running(tmp_path, workers, slow_s, **settings)
        started.append(server)
        server.until(lambda: server.log.count("runtime-1") == workers, "the workers")
        server.until(server.ready, "readiness")
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait()
        for worker in server.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


def test_accepted_calls_are_answered_before_the_server_stops_with_status_0(
    run: Callable[..., Running],
) -> None:
    server = run(workers=2, slow_s=1)
    figures = Path(tempfile.gettempdir()).glob(f"cds-metrics-{server.process.pid}-*")
    # An older one may be of a server that was killed and had the same process id.
    folder = max(figures, key=lambda folder: folder.stat().st_mtime)
    answers: list[tuple[int, str]] = []
    callers = [
        threading.Thread(target=lambda: answers.append(server.call("slow"))) for _ in range(2)
    ]
    for caller in callers:
        caller.start()
    time.sleep(0.4)  # until they are being answered: they take a second

    status = server.stop()
    for caller in callers:
        caller.join()

    assert [code for code, _ in answers] == [200, 200]
    assert status == 0
    assert not folder.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_the_whole_process_group_ends_with_status_0_too(
    run: Callable[..., Running], number: signal.Signals
) -> None:
    server = run(workers=2)

    os.killpg(server.process.pid, number)

    assert server.process.wait(PATIENCE_S) == 0


def test_a_dead_worker_is_replaced_again_and_again(run: Callable[..., Running]) -> None:
    server = run(workers=2)
    for round_ in range(3):
        before = server.workers()
        os.kill(before[-1], signal.SIGKILL)
        server.until(lambda before=before: len(server.workers()) > len(before), f"new {round_}")

    server.until(server.ready, "an answer")

    assert server.call()[0] == 200
    assert server.stop() == 0


def test_a_worker_that_was_just_forked_also_stops(tmp_path: Path) -> None:
    server = Running(tmp_path, 1, 0, CDS_TEST_SLOW_FORK_S="1")
    server.until(lambda: bool(server.workers()), "the worker")

    assert server.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(server.workers()[0], 0)


def test_all_workers_share_their_counts(run: Callable[..., Running]) -> None:
    server = run(workers=2)
    for _ in range(20):
        assert server.call()[0] == 200

    pages = {server.get("/metrics")[1] for _ in range(4)}

    for text in pages:
        match = re.search(r'cds_call_seconds_count\{service="[a-z-]+"\} (\S+)', text)
        assert match is not None
        assert float(match[1]) == 20


def test_slow_clients_do_not_block_others(run: Callable[..., Running]) -> None:
    server = run()
    head = (
        f"POST {VIEW} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{"
    )
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(200)]
    for connection in slow:
        connection.sendall(head.encode())
    time.sleep(0.2)

    started = time.monotonic()
    assert server.call()[0] == 200
    assert time.monotonic() - started < 2

    for connection in slow:
        connection.close()


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
def test_a_client_that_sends_too_much_can_read_the_error(
    run: Callable[..., Running], chunked: bool
) -> None:
    server = run()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    content = (b" " * 100_000 for _ in range(30)) if chunked else b" " * 3_000_000

    connection.request(
        "POST", VIEW, content, {"Content-Type": "application/json"}, encode_chunked=chunked
    )
    response = connection.getresponse()

    assert response.status == 413
    assert json.loads(response.read())["issue"][0]["code"] == "too-costly"
    connection.close()


def test_a_client_that_waits_for_100_continue_is_refused_before_it_sends(
    run: Callable[..., Running],
) -> None:
    server = run()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(
            f"POST {VIEW} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            "Content-Length: 900000000\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert b" 413 " in line.recv(4096).split(b"\r\n")[0]


def _refusal_to_listen(folder: Path, **settings: str) -> str:
    """The one-line error of a server that was started to listen on every address."""
    server = Running(folder, 1, 0, host="0.0.0.0", **settings)
    try:
        assert server.process.wait(PATIENCE_S) == 1
    finally:
        server.process.terminate()
        server.process.wait()
    (line,) = server.log.splitlines()
    return line


def test_listening_beyond_this_machine_needs_a_client_list(tmp_path: Path) -> None:
    line = _refusal_to_listen(tmp_path)

    assert "CDS_TRUSTED_CLIENTS" in line
    assert "CDS_INSECURE_OPEN" in line


def _listed(folder: Path) -> tuple[str, Callable[[str], str]]:
    """A client list with one client, and a function with which it signs for an audience."""
    pem, public = make_key_pair("ES384")
    path = folder / "clients.json"
    path.write_text(json.dumps([{"iss": "https://ehr.example", "jwks": {"keys": [public]}}]))
    return str(path), lambda aud: sign_token(
        pem, str(public["kid"]), "https://ehr.example", aud, now=time.time()
    )


def test_the_demo_page_with_a_client_list_stays_on_this_machine(tmp_path: Path) -> None:
    clients, _ = _listed(tmp_path)
    line = _refusal_to_listen(tmp_path, CDS_TRUSTED_CLIENTS=clients, CDS_DEMO="1")

    assert "demo page, without a token" in line
    assert "CDS_DEMO" in line
    assert "CDS_INSECURE_OPEN" in line


@pytest.mark.parametrize(
    ("host", "clients", "demo", "open_anyway", "refused"),
    [
        ("127.0.0.1", None, True, False, False),
        ("127.8.9.10", None, True, False, False),
        ("localhost", "c.json", True, False, False),
        ("::1", "c.json", True, False, False),
        ("::", "c.json", False, False, False),
        ("0.0.0.0", "c.json", True, True, False),
        ("0.0.0.0", None, False, True, False),
        ("0.0.0.0", "c.json", True, False, True),
        ("::", None, False, False, True),
        ("192.0.2.1", None, False, False, True),
        ("127.0.0.1.nip.example", None, False, False, True),
        ("localhost.example", None, False, False, True),
        ("::1234", "c.json", True, False, True),
    ],
)
def test_which_addresses_may_be_listened_on(
    host: str, clients: str | None, demo: bool, open_anyway: bool, refused: bool
) -> None:
    settings = read_settings(trusted_clients=clients, demo=demo, insecure_open=open_anyway)
    with pytest.raises(StartupError) if refused else contextlib.nullcontext():
        refuse_unguarded(settings, host)


def test_without_a_setting_the_audience_is_the_listening_address(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    clients, signed_for = _listed(tmp_path)
    server = run(CDS_TRUSTED_CLIENTS=clients, CDS_DEMO="1")

    assert server.call(token=signed_for(f"http://127.0.0.1:{server.port}{VIEW}"))[0] == 200
    assert server.call(token=signed_for(f"http://127.0.0.1:8000{VIEW}"))[0] == 401
    assert '"event":"demo_needs_no_token"' in server.log.replace(" ", "")


def test_with_a_setting_the_audience_is_its_value(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    clients, signed_for = _listed(tmp_path)
    server = run(CDS_TRUSTED_CLIENTS=clients, CDS_PUBLIC_URL="https://cds.example")

    assert server.call(token=signed_for(f"https://cds.example{VIEW}"))[0] == 200
    assert server.call(token=signed_for(f"http://127.0.0.1:{server.port}{VIEW}"))[0] == 401
    assert "demo_needs_no_token" not in server.log


@pytest.mark.parametrize(
    ("host", "clients", "address", "warned"),
    [
        ("127.0.0.1", "c.json", "http://127.0.0.1:9000", False),
        ("localhost", "c.json", "http://localhost:9000", False),
        ("::1", "c.json", "http://[::1]:9000", False),
        ("0.0.0.0", "c.json", "http://127.0.0.1:9000", True),
        ("0.0.0.0", None, "http://127.0.0.1:9000", False),
        ("192.0.2.1", "c.json", "http://192.0.2.1:9000", True),
    ],
)
def test_a_guess_of_the_public_url_beyond_this_machine_is_logged(
    monkeypatch: pytest.MonkeyPatch, host: str, clients: str | None, address: str, warned: bool
) -> None:
    monkeypatch.delenv("CDS_PUBLIC_URL", raising=False)
    before = dict(os.environ)
    with capture_logs() as lines:
        settings = with_public_url(read_settings(trusted_clients=clients), host, 9000)

    assert settings.public_url == address
    assert settings.rules_address == ""  # no links to a guessed address
    assert dict(os.environ) == before
    events = [("tokens_are_for_a_guessed_address", address)] if warned else []
    assert [(line["event"], line["url"]) for line in lines] == events


def test_rule_pages_are_served_together_with_the_demo_page(
    run: Callable[..., Running],
) -> None:
    server = run(CDS_DEMO="1")
    assert server.get("/rules/quinine-active")[0] == 200


def test_an_address_in_use_is_reported_in_one_line(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    with socket.socket() as occupied:
        occupied.bind(("127.0.0.1", 0))
        occupied.listen()
        folder = tmp_path / "second"
        folder.mkdir()
        second = run_program(
            "tests.api.serving_program", "127.0.0.1", str(occupied.getsockname()[1]), "1",
            folder=folder, environ=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=PATIENCE_S,
        )  # fmt: skip

    assert second.returncode == 1
    assert "cannot listen on" in second.stderr.splitlines()[-1]
    assert "Traceback" not in second.stderr
