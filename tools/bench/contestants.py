"""What is measured: how each is installed and started, and a check that it works."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.fhir_client.loopback import Loopback
from tests.testing.fhir import spelled
from tests.testing.serving import Server, Service, environment, running
from tools.bench import CHECKOUT, HOME, bodies
from tools.faults.calls import SELECT as ORDERS_PATH
from tools.faults.calls import VIEW as VIEW_PATH
from tools.faults.calls import Signer, client_list, fhir_server_with
from tools.faults.load import Post, Sender

WORKERS = 2
_WHERE = ("--port", "{port}", "--workers")
_FLOORS = (str(Path(sys.executable).with_name("granian")), "--interface", "wsgi", "--http", "1",
           "--no-ws", "--no-log", "--blocking-threads", "1", "tools.bench.fixed:app",
           *_WHERE)  # fmt: skip
_HERE = Path(__file__).parent
_HEALTHCHAIN = ("healthchain==0.16.1", "uvicorn[standard]")
_NPM = ("npm", "--no-audit", "--no-fund", "--fetch-retries=1")
_FHIR_S = 0.02

SERVICE, AUDITED, TOKENS, FETCHING = "service", "audited", "tokens", "fetching"
LARGE, ORDERS = "service, large bodies", "order-select"
FIXED, FLASK, WSGI = "parsed only", "Flask only", "WSGI only"
CHAIN_FHIR, CHAIN_PLAIN = "HealthChain, FHIR resources", "HealthChain, plain dicts"
CQL = "CQL engine"
# The server and the path of each that is loaded, and how many cards a peer gives for the patient
# with cards: silence would be fast.
PATHS = {
    **{name: (name, VIEW_PATH, 0) for name in (SERVICE, AUDITED, LARGE, TOKENS, FETCHING)},
    ORDERS: (SERVICE, ORDERS_PATH, 0),
    FIXED: (FIXED, "/parsed", 0),
    FLASK: (FIXED, "/flask", 0),
    WSGI: (FIXED, "/wsgi", 0),
    CHAIN_FHIR: (CHAIN_FHIR, "/cds/cds-services/fhir", 2),
    CHAIN_PLAIN: (CHAIN_FHIR, "/plain/cds-services/plain", 2),
    CQL: (CQL, "/cds-services/leg-cramps", 3),
}


@dataclass
class Ground:
    """The servers of one run, each started when it is first asked for."""

    folder: Path
    stack: ExitStack
    _started: dict[str, Server] = field(default_factory=dict)
    _signer: Signer = field(default_factory=lambda: Signer("https://ehr.example", replay="allow"))
    fhir_server: str = ""

    def server(self, name: str, workers: int = WORKERS) -> Server:
        """The server of that contestant. RuntimeError where it cannot be installed or fails."""
        contestant = PATHS[name][0]
        key = f"{contestant} {workers}"
        if key not in self._started:
            place = self.folder / key.replace(" ", "-")
            place.mkdir()
            if contestant in OTHERS:
                new = other(contestant, workers, place)
            else:
                new = Service(place, workers=workers, settings=self._settings(contestant))
            self._started[key] = self.stack.enter_context(running(new))
            for server, path, cards in PATHS.values():
                if server == contestant and cards:
                    check_cards(self._started[key], path, cards)
        return self._started[key]

    def body(self, content: bytes) -> Path:
        """A file with a body."""
        path = self.folder / "body.json"
        path.write_bytes(content)
        return path

    def token(self) -> str:
        """A token of the client that may use it again, good for five minutes."""
        return self._signer.token(spelled(self._signer.claims()))

    def _settings(self, contestant: str) -> dict[str, str]:
        if contestant == TOKENS:
            return {"TRUSTED_CLIENTS": client_list(self.folder, self._signer)}
        if contestant == FETCHING:
            answer = fhir_server_with(bodies.prefetch(100))
            partner = Loopback(lambda request: [_FHIR_S, answer(request)])
            self.fhir_server = self.stack.enter_context(partner).url
            return {"FHIR_SERVERS": self.fhir_server, "FHIR_OPEN": "1"}
        if contestant == AUDITED:
            return {"AUDIT": "digest", "RULES_SILENT": "quinine-active"}
        limits = ("MAX_BODY_MB", "CLIENT_MB", "PROCESS_MB")
        return dict.fromkeys(limits, "1000") if contestant == LARGE else {}


def check_cards(server: Server, path: str, cards: int) -> None:
    """Raises RuntimeError unless it gives that many: a failure may be answered with none."""
    answer = Sender(server.port, fresh=True).send(Post(path, bodies.patient_view(20)))
    count = len(json.loads(answer.body)["cards"]) if answer.status == 200 else 0
    if count != cards:
        raise RuntimeError(f"{count} cards at {path} ({answer.status}), not {cards}")


def healthchain() -> tuple[str, ...]:
    """The command of HealthChain, whose own environment is made at the first run."""
    home = HOME / "healthchain"
    python = str(home / "bin" / "python")
    if not home.exists():
        _do(sys.executable, "-m", "venv", str(home))
        _do(python, "-m", "pip", "install", "--quiet", *_HEALTHCHAIN)
    return (python, "-m", "uvicorn", "--app-dir", str(_HERE), "--log-level", "error",
            "--no-access-log", "healthchain_peer:app", *_WHERE)  # fmt: skip


def cql() -> tuple[str, ...]:
    """The command of the CQL service (Node 20); packages and ELM are made at the first run."""
    home, source = HOME / "cql", _HERE / "cql"
    home.mkdir(exist_ok=True)
    if not (source / "node_modules").exists():
        _do(*_NPM, "--prefix", str(source), "ci")
    lists = CHECKOUT / "hooks" / "knowledge" / "codelists"
    _do("node", str(source / "translate.mjs"), str(home), str(lists))
    return ("node", str(source / "server.mjs"), str(home), "{port}")


OTHERS = {FIXED: lambda: _FLOORS, CHAIN_FHIR: healthchain, CQL: cql}
"""How those other than the service are started; the last word is the number of workers."""


def other(name: str, workers: int, folder: Path) -> Server:
    """One of the others. Raises RuntimeError where it cannot be installed."""
    environ = environment() | {"PYTHONPATH": str(CHECKOUT)}
    return Server([*OTHERS[name](), str(workers)], environ, folder)


def _do(*command: str) -> None:
    """Run a command of the installation."""
    try:
        subprocess.run(command, check=True, timeout=600, capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        stderr = getattr(error, "stderr", None) or ""
        raise RuntimeError(f"{' '.join(command)}: {error} {stderr[-500:]}") from None
