"""The calls that are sent: scenarios, feedback, signed ones, and requests by hand."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jwt

from cds_service.trust.inspect import make_key_pair
from tests.scenarios.golden import FIXTURES, FOLDERS, scenario
from tests.testing import fhir
from tests.testing.fhir import spelled as encoded
from tests.testing.serving import HOST
from tools.faults.load import Answered, Call, Tally

VIEW = "/cds-services/leg-cramps-patient-view"
SELECT = "/cds-services/leg-cramps-order-select"
FEEDBACK = f"{VIEW}/feedback"
PATHS = {"patient-view": VIEW, "order-select": SELECT}
PUBLIC_URL = "http://cds.example"
INSTANCE = "5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11"


@cache
def scenarios() -> tuple[dict[str, Any], ...]:
    """Every request of fixtures/scenarios, and every vendor's shape."""
    found = [scenario(folder).request for folder in FOLDERS]
    for path in sorted(FIXTURES.glob("vendor_shapes/*.json")):
        shape = json.loads(path.read_bytes())
        hook = "order-select" if "draftOrders" in shape.get("context", {}) else "patient-view"
        found.append({"hook": hook, "hookInstance": INSTANCE, **shape})
    return tuple(found)


@cache
def good_calls() -> tuple[Call, ...]:
    """Calls to two of the services that bring their data and are answered with 200."""
    return tuple(
        Call(one.path, encoded(one.request))
        for one in map(scenario, FOLDERS)
        if one.path in PATHS.values() and "status" not in one.expected
        if one.request.get("prefetch") and "fhirServer" not in one.request
    )


def view_call() -> Call:
    """One of them, to patient-view."""
    return next(call for call in good_calls() if call.path == VIEW)


def view(prefetch: Mapping[str, Any] | None, **more: Any) -> Call:
    """A patient-view call of patient p1; without prefetch it sends us to a FHIR server."""
    return Call(VIEW, encoded(fhir.call("patient-view", prefetch, **more)))


def with_results(count: int) -> Call:
    """A patient-view call whose prefetch holds so many results, each small."""
    results = (fhir.lab("2823-3", id=f"o{number}") for number in range(count))
    prefetch = {"patient": fhir.patient("p1"), "results": fhir.searchset(*results)}
    return view(prefetch)


class Feedback(Tally):
    """Answers to cards, each to a card of its own; remembers what was acknowledged."""

    def __init__(self, right: tuple[int, ...] = (200,)) -> None:
        super().__init__(right)
        self.acknowledged: set[str] = set()
        self.refusal_s = 0.0
        self._next = itertools.count(time.time_ns() & 0xFFFFFFFFFFFF)

    def calls(self) -> Iterator[Call]:
        """Feedback calls without end, one answer each; the card is the call's note."""
        for number in self._next:
            card = f"{number >> 32:08x}-0000-4000-8000-{number & 0xFFFFFFFF:012x}"
            yield Call(FEEDBACK, feedback(card), note=card)

    def add(self, answered: Answered) -> None:
        """Count one, and remember the card where it was answered with 200."""
        super().add(answered)
        if answered.status == 200:
            self.acknowledged.add(answered.call.note)
        elif answered.status == 503:
            self.refusal_s = max(self.refusal_s, answered.seconds)


def feedback(card: str) -> bytes:
    """One answer to one card."""
    answer = {
        "card": card, "outcome": "overridden", "outcomeTimestamp": "2026-01-02T03:04:05Z",
        "overrideReason": {"userComment": "faults"},
    }  # fmt: skip
    return encoded({"feedback": [answer]})


class Signer:
    """One client of the list; its keys are in the list, or behind ``jku``."""

    def __init__(self, iss: str, jku: str | None = None) -> None:
        self.iss = iss
        self._pem, self._public = make_key_pair("ES384")
        self.key_set = {"keys": [self._public]}
        self.entry = {"iss": iss, **({"jku": jku} if jku else {"jwks": self.key_set})}
        self._ids = (f"{time.time_ns()}-{number}" for number in itertools.count())
        self._lock = threading.Lock()

    def claims(self) -> dict[str, Any]:
        """What a good token says."""
        now = int(time.time())
        with self._lock:
            jti = next(self._ids)
        return {"iss": self.iss, "aud": PUBLIC_URL + VIEW, "iat": now, "exp": now + 300, "jti": jti}

    def call(self, payload: bytes = b"") -> Call:
        """A patient-view call with a token: a good one, or around this payload."""
        header = {"typ": "JWT", "kid": self._public["kid"]}
        token = jwt.PyJWS().encode(payload or encoded(self.claims()), self._pem, "ES384", header)
        return Call(VIEW, view_call().body, {"Authorization": f"Bearer {token}"}, self.iss)

    def calls(self) -> Iterator[Call]:
        """Calls with good tokens, without end."""
        while True:
            yield self.call()


def client_list(folder: Path, *signers: Signer) -> str:
    """The path of a client list with these clients."""
    path = folder / "clients.json"
    path.write_text(json.dumps([one.entry for one in signers]), encoding="utf-8")
    return str(path)


def head(length: int | None) -> bytes:
    """The head of a POST by hand; without a length it is chunked."""
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (
        f"POST {VIEW} HTTP/1.1",
        "Host: cds.example",
        "Content-Type: application/json",
        body,
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def connect(port: int) -> socket.socket:
    """A new connection to the service."""
    return socket.create_connection((HOST, port), timeout=20)


def said(line: socket.socket) -> tuple[int, bytes]:
    """Status and body of the answer on ``line``; 0 where the server closed without one."""
    with contextlib.suppress(ConnectionError, http.client.HTTPException):
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return answer.status, answer.read()
    return 0, b""


def reset(line: socket.socket) -> None:
    """Close with a reset instead of a goodbye."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()
