"""The scenarios of one run: the servers, their bodies, and who is compared with whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tools.bench import bodies, servers
from tools.bench.plan import Entry, Scenario
from tools.bench.servers import Server
from tools.bench.tokens import ALLOW, REJECT, Signer

WORKERS = 2
OURS, FIXED = "service", "fixed"
PEER = "HealthChain, FHIR resources"
PEER_PLAIN = "HealthChain, plain dicts"
PEER_INSTALLED = "HealthChain, plain dicts, as installed"
PEER_FHIR_PATH = "/cds/cds-services/fhir"
PEER_PLAIN_PATH = "/plain/cds-services/plain"
PEER_CARDS = 2
VIEW, ORDERS = "patient-view", "order-select"
OPEN, AGAIN, ONCE = "no token", "one token, used again", "a new token for each call"
VIEW_PATH = "/cds-services/leg-cramps-patient-view"
ORDERS_PATH = "/cds-services/leg-cramps-order-select"
CARDS = "patient-view, several cards"
NO_CARDS = "patient-view, no card to give"
ORDER = "order-select beside patient-view"
TOKENS = "tokens (ES384)"
MISSING = "nothing in prefetch, FHIR server answering in 20 ms"
MOST_TOKENS_A_SECOND = 1500


@dataclass(frozen=True)
class Ground:
    """Everything that runs while scenarios are measured; ``peer`` and ``peer_installed`` are None
    where the peer is missing."""

    folder: Path
    ours: Server
    guarded: Server
    fetching: Server
    fixed: Server
    peer: Server | None
    peer_installed: Server | None
    stub: Server
    signer: Signer

    def body(self, name: str, make: Callable[[], bytes]) -> Path:
        """The file with a body, made once."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            path.write_bytes(make())
        return path


class Start(Protocol):
    """Starts a server: its name, its command for a port, its settings beside the public URL."""

    def __call__(
        self, name: str, command: Callable[[int], list[str]], settings: dict[str, str] | None = None
    ) -> Server: ...


def starter(stack: ExitStack, folder: Path) -> Start:
    """Starts servers on free ports, each in a folder of its own; ``stack`` ends them."""

    def start(
        name: str, command: Callable[[int], list[str]], settings: dict[str, str] | None = None
    ) -> Server:
        port = servers.free_port()
        home = folder / name
        home.mkdir()
        more = {"CDS_PUBLIC_URL": f"http://127.0.0.1:{port}", **(settings or {})}
        return stack.enter_context(servers.running(name, command(port), port, home, more))

    return start


def guarded_by(signer: Signer, folder: Path) -> dict[str, str]:
    """The settings of a service that only answers to the signer's clients."""
    return {"CDS_TRUSTED_CLIENTS": str(signer.client_list(folder / "clients.json"))}


def fetching_from(stub: Server) -> dict[str, str]:
    """The settings of a service that may ask the stub."""
    return {"CDS_FHIR_SERVERS": fhir_base(stub), "CDS_FHIR_OPEN": "1"}


@contextmanager
def ground(folder: Path, observations: int = 100) -> Iterator[Ground]:
    """Start all servers, and end them with the block."""
    signer = Signer()
    with ExitStack() as stack:
        start = starter(stack, folder)

        def service(port: int) -> list[str]:
            return servers.service_command(port, WORKERS)

        stub = start("stub", lambda port: servers.stub_command(port, observations))
        peer = peer_installed = None
        if servers.peer_installed():
            peer = start("peer", lambda port: servers.peer_command(port, WORKERS))
            # One process, as its own command starts it; a second made it slower.
            peer_installed = start(
                "peer-installed", lambda port: servers.peer_command(port, 1, "h11")
            )
            see_that_it_works(peer)
            see_that_it_works(peer_installed)
        yield Ground(
            folder=folder,
            ours=start("service", service),
            guarded=start("guarded", service, guarded_by(signer, folder)),
            fetching=start("fetching", service, fetching_from(stub)),
            fixed=start("fixed", lambda port: servers.fixed_command(port, WORKERS)),
            peer=peer,
            peer_installed=peer_installed,
            stub=stub,
            signer=signer,
        )


def see_that_it_works(peer: Server) -> None:
    """Raises RuntimeError unless it gives its cards: it answers its own failures with none."""
    body = bodies.patient_view(20)
    for path in (PEER_FHIR_PATH, PEER_PLAIN_PATH):
        cards = servers.answer(peer.port, path, body).get("cards", ())
        if len(cards) != PEER_CARDS:
            raise RuntimeError(
                f"{peer.name} gave {len(cards) or 'no'} cards at {path}, not {PEER_CARDS}"
            )


def fhir_base(stub: Server) -> str:
    """The base URL of the FHIR server."""
    return f"http://127.0.0.1:{stub.port}/fhir"


def scenarios(on: Ground, quick: bool) -> Iterator[Scenario]:
    """All scenarios, the most important first."""
    seconds = 2.0 if quick else 3.0
    for observations in (100, 1000) if quick else (10, 100, 1000, 10_000):
        for connections in (16, 1):
            yield _cards(on, observations, connections, seconds)
    for observations in (100,) if quick else (10, 100, 1000):
        for connections in (16, 1):
            yield _no_cards(on, observations, connections, seconds)
    for connections in (16, 1):
        yield _orders(on, 100, connections, seconds)
    for connections in (1,) if quick else (16, 1):
        yield _tokens(on, 100, connections, seconds)
    yield _missing(on, 100, 1, seconds)


def _cards(on: Ground, observations: int, connections: int, seconds: float) -> Scenario:
    body = on.body(f"cards-{observations}", lambda: bodies.patient_view(observations))
    entries = [
        Entry(OURS, on.ours.port, VIEW_PATH, body),
        Entry(FIXED, on.fixed.port, "/fixed", body),
    ]
    if on.peer is not None and on.peer_installed is not None:
        # Beyond these it answers hardly anybody within a turn, and works on into the next.
        if observations <= 100 or (observations <= 1000 and connections == 1):
            entries.append(Entry(PEER, on.peer.port, PEER_FHIR_PATH, body))
        if observations <= 1000 or connections == 1:
            entries.append(Entry(PEER_PLAIN, on.peer.port, PEER_PLAIN_PATH, body))
        if observations <= 100:
            entries.append(Entry(PEER_INSTALLED, on.peer_installed.port, PEER_PLAIN_PATH, body))
    return Scenario(CARDS, observations, connections, tuple(entries), seconds)


def _no_cards(on: Ground, observations: int, connections: int, seconds: float) -> Scenario:
    body = on.body(f"none-{observations}", lambda: bodies.patient_view(observations, cards=False))
    entries = (
        Entry(OURS, on.ours.port, VIEW_PATH, body),
        Entry(FIXED, on.fixed.port, "/fixed", body),
    )
    return Scenario(NO_CARDS, observations, connections, entries, seconds)


def _orders(on: Ground, observations: int, connections: int, seconds: float) -> Scenario:
    view = on.body(f"cards-{observations}", lambda: bodies.patient_view(observations))
    orders = on.body(f"orders-{observations}", lambda: bodies.order_select(observations))
    entries = (
        Entry(ORDERS, on.ours.port, ORDERS_PATH, orders),
        Entry(VIEW, on.ours.port, VIEW_PATH, view),
    )
    return Scenario(ORDER, observations, connections, entries, seconds)


def _tokens(on: Ground, observations: int, connections: int, seconds: float) -> Scenario:
    body = on.body(f"cards-{observations}", lambda: bodies.patient_view(observations))
    audience = f"http://127.0.0.1:{on.guarded.port}{VIEW_PATH}"
    file = on.folder / "tokens.txt"

    def fresh(iss: str, count: int) -> Path:
        file.write_text("\n".join(on.signer.tokens(iss, audience, count)) + "\n")
        return file

    many = round(MOST_TOKENS_A_SECOND * seconds)
    entries = (
        Entry(OPEN, on.ours.port, VIEW_PATH, body),
        Entry(AGAIN, on.guarded.port, VIEW_PATH, body, lambda: fresh(ALLOW, 1)),
        Entry(ONCE, on.guarded.port, VIEW_PATH, body, lambda: fresh(REJECT, many)),
    )
    return Scenario(TOKENS, observations, connections, entries, seconds)


def _missing(on: Ground, observations: int, connections: int, seconds: float) -> Scenario:
    body = on.body("without-prefetch", lambda: bodies.without_prefetch(fhir_base(on.stub)))
    entries = (Entry(OURS, on.fetching.port, VIEW_PATH, body),)
    return Scenario(MISSING, observations, connections, entries, seconds)
