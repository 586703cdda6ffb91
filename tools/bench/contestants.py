"""Who is measured: how each is installed and started, and that it does what it should."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.testing.fhir import spelled
from tests.testing.serving import HOST
from tools.bench import bodies, servers
from tools.bench.servers import CHECKOUT, Server
from tools.faults.calls import SELECT as ORDERS_PATH
from tools.faults.calls import VIEW as VIEW_PATH
from tools.faults.calls import Signer, client_list

WORKERS = 2
CDS_SERVICE = str(Path(sys.executable).with_name("cds-service"))
_HERE = Path(__file__).parent
_CQL = str(_HERE / "cql")
_HEALTHCHAIN = ("healthchain==0.16.1", "uvicorn[standard]")
_NPM = ("npm", "--no-audit", "--no-fund", "--fetch-retries=1")
_LEAST_NODE = 20

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
_SETTINGS = {
    AUDITED: {"CDS_AUDIT": "digest", "CDS_RULES_SILENT": "quinine-active"},
    LARGE: dict.fromkeys(("CDS_MAX_BODY_MB", "CDS_CLIENT_MB", "CDS_PROCESS_MB"), "1000"),
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
        """The server of that contestant. Raises RuntimeError where it cannot be had or fails."""
        of = PATHS[name][0]
        key = f"{of} {workers}"
        if key not in self._started:
            command, settings = self._command(of), self._settings(of)
            command = [one.format(port="{port}", workers=workers) for one in command]
            found = servers.running(key, command, self.folder, settings)
            self._started[key] = self.stack.enter_context(found)
            for server, path, cards in PATHS.values():
                if server == of and cards:
                    see_cards(self._started[key], path, cards)
        return self._started[key]

    def body(self, content: bytes) -> Path:
        """A file with a body."""
        path = self.folder / "body.json"
        path.write_bytes(content)
        return path

    def token(self, server: Server) -> str:
        """A token of the client that may use it again, good for five minutes."""
        return self._signer.token(spelled(self._signer.claims(f"http://{HOST}:{server.port}")))

    def _command(self, of: str) -> list[str]:
        if of == FIXED:
            return [sys.executable, "-m", "tools.bench.fixed", "{port}", "{workers}", "1"]
        if of == CHAIN_FHIR:
            return [healthchain(), str(_HERE / "healthchain_peer.py"), "{port}", "{workers}"]
        if of == CQL:
            return [*cql(), "{port}", "{workers}", str(servers.home() / "cql")]
        return [CDS_SERVICE, "serve", "--port", "{port}", "--workers", "{workers}"]

    def _settings(self, of: str) -> Mapping[str, str]:
        if of == TOKENS:
            return {"CDS_TRUSTED_CLIENTS": client_list(self.folder, self._signer)}
        if of == FETCHING:
            stub = [sys.executable, "-m", "tools.bench.fixed", "{port}", "1", "16"]
            port = self.stack.enter_context(servers.running("stub", stub, self.folder)).port
            self.fhir_server = f"http://{HOST}:{port}/fhir"
            return {"CDS_FHIR_SERVERS": self.fhir_server, "CDS_FHIR_OPEN": "1"}
        return _SETTINGS.get(of, {})


def see_cards(server: Server, path: str, cards: int) -> None:
    """Raises RuntimeError unless it gives its cards: a failure may be answered with none."""
    status, answer = servers.ask(server.port, path, bodies.patient_view(20))
    found = len((answer or {}).get("cards", ()))
    if status != 200 or found != cards:
        raise RuntimeError(f"{server.name} gave {found} cards at {path} ({status}), not {cards}")


def healthchain() -> str:
    """The Python of HealthChain's own environment, made at the first run."""
    home = servers.home() / "healthchain"
    python = str(home / "bin" / "python")
    if not home.exists():
        _do(sys.executable, "-m", "venv", str(home))
        _do(python, "-m", "pip", "install", "--quiet", *_HEALTHCHAIN)
    return python


def cql() -> list[str]:
    """The command of the CQL service; packages and ELM are made at the first run."""
    home, node = servers.home() / "cql", "node"
    home.mkdir(exist_ok=True)
    if not Path(_CQL, "node_modules").exists():
        _do(*_NPM, "--prefix", _CQL, "ci")
    if int(_do("node", "--version")[1:].partition(".")[0]) < _LEAST_NODE:
        node = str(home / "node_modules" / ".bin" / "node")
        if not Path(node).exists():
            _do(*_NPM, "install", "--prefix", str(home), "node@20")
    lists = CHECKOUT / "hooks" / "knowledge" / "codelists"
    _do(node, f"{_CQL}/translate.mjs", str(home), str(lists))
    return [node, f"{_CQL}/server.mjs"]


def _do(*command: str) -> str:
    """What the command prints."""
    try:
        ended = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or ""
        raise RuntimeError(f"{' '.join(command)}: {error} {said[-500:]}") from None
    return ended.stdout
