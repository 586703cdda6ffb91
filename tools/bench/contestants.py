"""Who is measured: how each is installed and started, and that it does what it should."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import jwt

from tools.bench import bodies, servers
from tools.bench.servers import CHECKOUT, Server

HOME = CHECKOUT / ".bench"
WORKERS = 2
CDS_SERVICE = str(Path(sys.executable).with_name("cds-service"))
VIEW_PATH = "/cds-services/leg-cramps-patient-view"
ORDERS_PATH = "/cds-services/leg-cramps-order-select"
ISSUER = "https://ehr.example"
_CQL = Path(__file__).with_name("cql")
_CODELISTS = CHECKOUT / "hooks" / "knowledge" / "codelists"
_HEALTHCHAIN = ("healthchain==0.16.1", "uvicorn[standard]")
_LEAST_NODE = 20

SERVICE, AUDITED, TOKENS, FETCHING = "service", "audited", "tokens", "fetching"
LARGE = "service, large bodies"
FIXED, FLASK, WSGI = "parsed only", "Flask only", "WSGI only"
CHAIN_FHIR, CHAIN_PLAIN = "HealthChain, FHIR resources", "HealthChain, plain dicts"
CQL = "CQL engine"
# The server and the path of each that is loaded.
PATHS = {
    SERVICE: (SERVICE, VIEW_PATH),
    "order-select": (SERVICE, ORDERS_PATH),
    AUDITED: (AUDITED, VIEW_PATH),
    LARGE: (LARGE, VIEW_PATH),
    TOKENS: (TOKENS, VIEW_PATH),
    FETCHING: (FETCHING, VIEW_PATH),
    FIXED: (FIXED, "/parsed"),
    FLASK: (FIXED, "/flask"),
    WSGI: (FIXED, "/wsgi"),
    CHAIN_FHIR: (CHAIN_FHIR, "/cds/cds-services/fhir"),
    CHAIN_PLAIN: (CHAIN_FHIR, "/plain/cds-services/plain"),
    CQL: (CQL, "/cds-services/leg-cramps"),
}
# How many cards each gives for the patient with cards: silence would be fast.
_CARDS = {CHAIN_FHIR: 2, CHAIN_PLAIN: 2, CQL: 3}


@dataclass
class Ground:
    """The servers of one run, each started when it is first asked for."""

    folder: Path
    stack: ExitStack
    _started: dict[str, Server] = field(default_factory=dict)

    def server(self, name: str, workers: int = WORKERS) -> Server:
        """The server of that contestant. Raises RuntimeError where it cannot be had or fails."""
        of = PATHS[name][0]
        key = f"{of} {workers}"
        if key not in self._started:
            self._started[key] = self._start(key, of, workers)
            for contestant, cards in _CARDS.items():
                if PATHS[contestant][0] == of:
                    see_cards(self._started[key], PATHS[contestant][1], cards)
        return self._started[key]

    def body(self, name: str, content: bytes) -> Path:
        """A file with a body."""
        path = self.folder / f"{name}.json"
        path.write_bytes(content)
        return path

    def token(self, server: Server) -> str:
        """A token of the client that may use it again, good for five minutes."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": f"http://127.0.0.1:{server.port}{VIEW_PATH}",
            "iat": now,
            "exp": now + 300,
            "jti": str(uuid.uuid4()),
        }
        pem, kid = (self.folder / "key.pem").read_text().rsplit("\n", 1)
        return jwt.encode(claims, pem, "ES384", {"kid": kid, "typ": "JWT"})

    def _start(self, key: str, of: str, workers: int) -> Server:
        python = sys.executable
        settings: Mapping[str, str] = {}
        if of == FIXED:
            command = [python, "-m", "tools.bench.fixed", "{port}", str(workers), "1"]
        elif of == CHAIN_FHIR:
            script = str(Path(__file__).with_name("healthchain_peer.py"))
            command = [healthchain(), script, "{port}", str(workers)]
        elif of == CQL:
            command = [*cql(), "{port}", str(workers), str(HOME / "cql")]
        else:
            command = [CDS_SERVICE, "serve", "--port", "{port}"]
            command += ["--workers", str(workers)]
            settings = self._settings(of)
        return self.stack.enter_context(servers.running(key, command, self.folder, settings))

    def _settings(self, of: str) -> Mapping[str, str]:
        if of == TOKENS:
            return {"CDS_TRUSTED_CLIENTS": str(self._clients())}
        if of == FETCHING:
            stub = [sys.executable, "-m", "tools.bench.fixed", "{port}", "1", "16"]
            port = self.stack.enter_context(servers.running("stub", stub, self.folder)).port
            self.fhir_server = f"http://127.0.0.1:{port}/fhir"
            return {"CDS_FHIR_SERVERS": self.fhir_server, "CDS_FHIR_OPEN": "1"}
        if of == AUDITED:
            return {"CDS_AUDIT": "digest", "CDS_RULES_SILENT": "quinine-active"}
        if of == LARGE:
            return dict.fromkeys(("CDS_MAX_BODY_MB", "CDS_CLIENT_MB", "CDS_PROCESS_MB"), "1000")
        return {}

    def _clients(self) -> Path:
        from cds_service.trust.inspect import make_key_pair

        pem, jwk = make_key_pair("ES384")
        (self.folder / "key.pem").write_text(f"{pem}\n{jwk['kid']}")
        path = self.folder / "clients.json"
        client = {"iss": ISSUER, "jwks": {"keys": [jwk]}, "replay": "allow"}
        path.write_text(json.dumps([client]))
        return path


def see_cards(server: Server, path: str, cards: int) -> None:
    """Raises RuntimeError unless it gives its cards: a failure may be answered with none."""
    status, answer = servers.ask(server.port, "POST", path, bodies.patient_view(20))
    found = len((answer or {}).get("cards", ()))
    if status != 200 or found != cards:
        raise RuntimeError(f"{server.name} gave {found} cards at {path} ({status}), not {cards}")


def healthchain() -> str:
    """The Python of HealthChain's own environment, made at the first run."""
    python = HOME / "healthchain" / "bin" / "python"
    if not python.exists():
        _do([sys.executable, "-m", "venv", str(HOME / "healthchain")])
        _do([str(python), "-m", "pip", "install", "--quiet", *_HEALTHCHAIN])
    return str(python)


def cql() -> list[str]:
    """The command of the CQL service; packages and ELM are made at the first run."""
    home = HOME / "cql"
    home.mkdir(parents=True, exist_ok=True)
    npm = ["npm", "--no-audit", "--no-fund", "--fetch-retries=1"]
    if not (_CQL / "node_modules").exists():
        _do([*npm, "--prefix", str(_CQL), "ci"])
    node = ["node"]
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True)
    if int(version.stdout[1:].partition(".")[0]) < _LEAST_NODE:
        if not (home / "node_modules").exists():
            _do([*npm, "install", "--prefix", str(home), "node@20"])
        node = [str(home / "node_modules" / ".bin" / "node")]
    _do([*node, str(_CQL / "translate.mjs"), str(home), str(_CODELISTS)])
    return [*node, str(_CQL / "server.mjs")]


def _do(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, timeout=600, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"{' '.join(command)}: {error.stderr[-500:]}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{' '.join(command)}: {error}") from None
