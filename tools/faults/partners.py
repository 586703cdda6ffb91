"""What the service depends on, on loopback, and able to die: web servers and PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tools.faults.run import CARDS
from tools.faults.service import HOST, free_port

Page = Callable[[str], bytes]


class WebServer:
    """Answers GETs on a fixed port while it is up. ``delay_s``: how long it thinks.

    ``page`` gets the target and gives the JSON body.
    """

    def __init__(self, page: Page) -> None:
        self.port = free_port()
        self.delay_s = 0.0
        self.asked = 0
        self._page = page
        self._server: _Listening | None = None
        self.woken = threading.Event()

    def start(self) -> None:
        """Listen."""
        self.woken = threading.Event()
        self._server = _Listening(self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def die(self) -> None:
        """Refuse connections, and reset those that are open."""
        if self._server is not None:
            self.woken.set()
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def answer(self, target: str) -> bytes:
        """The body for ``target``, when its time has come."""
        self.asked += 1
        if self.delay_s:
            self.woken.wait(self.delay_s)
        return self._page(target)


class _Listening(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, owner: WebServer) -> None:
        self.owner = owner
        self._open: set[socket.socket] = set()
        super().__init__((HOST, owner.port), _Asked)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that leaves is no error here."""

    def cut(self) -> None:
        for line in tuple(self._open):
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listening

    def do_GET(self) -> None:  # the library's name
        body = self.server.owner.answer(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's server programs; None where they are not installed."""
    found = shutil.which("initdb")
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda one: int(one.parts[-3])
    )
    programs = [*([Path(found)] if found else []), *installed]
    return programs[-1].parent if programs else None


class Postgres:
    """A private PostgreSQL server on a free loopback port; remove it when done."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self.port = free_port()
        # The server refuses to run as root.
        self._as: list[str] = []
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._as = ["runuser", "-u", "postgres", "--"]
        self._run("initdb", "--auth=trust", "--username=cds", "--encoding=UTF8", "--no-sync")
        self.url = f"postgresql://cds@{HOST}:{self.port}/postgres"

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        options = f"-p {self.port} -c listen_addresses={HOST} -k {self._folder}"
        log = str(self._folder / "log")
        self._run("pg_ctl", "--wait", "--silent", "--log", log, "--options", options, "start")

    def die(self) -> None:
        """Stop without a goodbye to anybody (recovers from its log at the next start)."""
        self._run("pg_ctl", "--wait", "--silent", "--mode", "immediate", "stop")

    def cards(self) -> set[str]:
        """The cards whose feedback it keeps."""
        import psycopg

        with psycopg.connect(self.url) as line:
            return {str(card) for (card,) in line.execute(CARDS)}

    def _run(self, program: str, *arguments: str) -> None:
        data = str(self._folder / "data")
        command = [*self._as, str(self._programs / program), "--pgdata", data, *arguments]
        # No pipes: the server keeps the descriptors it inherits.
        out = self._folder / f"{program}.out"
        with out.open("w") as said:
            done = subprocess.run(
                command, cwd=self._folder, stdout=said, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode:
            raise OSError(out.read_text())
