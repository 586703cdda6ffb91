"""What is sent: scenarios, feedback, signed calls, hostile calls, requests written by hand."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import random
import socket
import struct
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jwt

from cds_service.trust.inspect import make_key_pair
from tests.fhir_client.loopback import Request, reply
from tests.scenarios.golden import FIXTURES, FOLDERS, scenario
from tests.testing import fhir
from tests.testing.damage import ADDRESSES, HEADERS, as_json, damaged, damaged_bytes
from tests.testing.fhir import spelled as encoded
from tests.testing.serving import HOST
from tools.faults.load import Answered, CallTally, Post, Right

VIEW = "/cds-services/leg-cramps-patient-view"
SELECT = "/cds-services/leg-cramps-order-select"
FEEDBACK = f"{VIEW}/feedback"
PATHS = {"patient-view": VIEW, "order-select": SELECT}
PUBLIC_URL = "http://cds.example"
INSTANCE = "5f1d9f5a-3a80-4c0b-9f3f-8f0a3c0e7b11"
GRANTED = {"access_token": "x", "token_type": "Bearer", "expires_in": 300,
           "scope": "patient/*.read", "subject": "x"}  # fmt: skip


@cache
def scenarios() -> tuple[dict[str, Any], ...]:
    """Every request of fixtures/scenarios, and every vendor's shape."""
    requests = [scenario(folder).request for folder in FOLDERS]
    for path in sorted(FIXTURES.glob("vendor_shapes/*.json")):
        shape = json.loads(path.read_bytes())
        hook = "order-select" if "draftOrders" in shape.get("context", {}) else "patient-view"
        requests.append({"hook": hook, "hookInstance": INSTANCE, **shape})
    return tuple(requests)


@cache
def good_calls(*paths: str) -> tuple[Post, ...]:
    """Calls to (both) services that bring their data and are answered with 200."""
    return tuple(
        Post(each.path, encoded(each.request))
        for each in map(scenario, FOLDERS)
        if each.path in (paths or PATHS.values()) and "status" not in each.expected
        if each.request.get("prefetch") and "fhirServer" not in each.request
    )


def view(prefetch: Mapping[str, Any] | None, **fields: Any) -> Post:
    """A patient-view call of patient p1; without prefetch it sends us to a FHIR server."""
    return Post(VIEW, encoded(fhir.call("patient-view", prefetch, **fields)))


def without_prefetch(fhir_server: str, of: str = "p1") -> Post:
    """A call that brings nothing but the address of a FHIR server and a token for it."""
    return view(None, of=of, fhirServer=fhir_server, fhirAuthorization=GRANTED)


def fhir_server_with(prefetch: Mapping[str, Any]) -> Callable[[Request], bytes]:
    """The answers of a FHIR server that holds this prefetch: the patient, or all of a type."""
    resources: dict[str, list[Any]] = {}
    for value in filter(None, prefetch.values()):
        for resource in [entry["resource"] for entry in value.get("entry", ())] or [value]:
            resources.setdefault(resource["resourceType"], []).append(resource)
    answers = {kind: reply(fhir.searchset(*found)) for kind, found in resources.items()}
    answers |= {"Patient": reply(resources["Patient"][0]), "Bundle": reply(fhir.searchset())}

    def answer(request: Request) -> bytes:
        kind = request.target.partition("?")[0].split("/")[2]
        return answers.get(kind, answers["Bundle"])

    return answer


def holding(key: str, *resources: fhir.Json) -> Post:
    """A call with these resources, each with an id of its own."""
    numbered = ({**resource, "id": f"x{number}"} for number, resource in enumerate(resources))
    return view({"patient": fhir.patient(), key: fhir.searchset(*numbered)})


def with_results(count: int) -> Post:
    """A call with so many results, each small."""
    return holding("results", *[fhir.lab("2823-3")] * count)


def with_texts(*texts: str) -> Post:
    """A call whose conditions are these texts."""
    return holding("conditions", *map(fhir.condition, texts))


def with_products(*names: str) -> Post:
    """A call whose medications are products of these names."""
    return holding("medicationRequests", *map(fhir.prescription, names))


def with_extra(value: bytes) -> Post:
    """A call whose prefetch holds this, as it is, under a key of the client's own."""
    call = view({"patient": fhir.patient(), "extra": "@"})
    return replace(call, body=call.body.replace(b'"@"', value))


def padded(size: int) -> Post:
    """A call of ``size`` bytes, most of them one text."""
    return with_extra(b'"' + b"x" * (size - len(with_extra(b'""').body)) + b'"')


def _chunks(size: int, each: int) -> list[bytes]:
    """A body that is sent in chunks."""
    body = padded(size).body
    return [body[start : start + each] for start in range(0, size, each)]


def edges() -> Iterator[tuple[Post, tuple[int, ...]]]:
    """Calls at the limits and beyond, named by their note, and the statuses that are right."""
    result, good = with_results(1).body, good_calls(VIEW)[0].body
    big = with_results(49_999).body  # and the patient
    drafts = big.replace(b"patient-view", b"order-select", 1).replace(
        b'"patientId": "p1"', b'"patientId":"p1","selections":[],"draftOrders":{}'
    )
    keys = b"".join(b',"k%d":{}' % number for number in range(100_000))
    extra: tuple[tuple[str, bytes, tuple[int, ...]], ...] = (
        ("60 levels deep", b"[" * 57 + b"]" * 57, (200,)),
        ("65 levels deep", b"[" * 63 + b"]" * 63, (400,)),
        ("100,000 levels deep", b"[" * 100_000 + b"]" * 100_000, (400,)),
        ("two million empty objects", b"[" + b"{}," * 2_000_000 + b"{}]", (200,)),
        ("a key 100,000 times", b"1" + b',"x":1' * 100_000, (200, 400)),
        ("100,000 prefetch keys", b"1" + keys, (200, 400, 413)),
    )
    for name, value, right in extra:
        yield replace(with_extra(value), note=name), right
    bodies: tuple[tuple[str, bytes | list[bytes], tuple[int, ...]], ...] = (
        ("5 million levels, never closed", b"[" * 5_000_000, (400,)),
        ("100,000 levels in feedback", b'{"feedback":' + b"[" * 100_000, (400,)),
        ("1e400 as a result", result.replace(b"4.1", b"1e400"), (200, 400)),
        ("a result of 1,000,000 digits", result.replace(b"4.1", b"7" * 1_000_000), (200, 400)),
        ("1,000,000 decimals", result.replace(b"4.1", b"0." + b"3" * 1_000_000), (200, 400)),
        ("1e-999999999", result.replace(b"4.1", b"1e-999999999"), (200, 400)),
        ("each key twice", good[:-1] + b"," + good[1:], (200, 400)),
        ("10 MB", padded(10_000_000).body, (200,)),
        ("40 MB", padded(40_000_000).body, (413,)),
        ("40 MB of feedback", padded(40_000_000).body, (413,)),
        ("50,000 entries", big, (200,)),
        ("100,000 entries", with_results(100_000).body, (413,)),
        ("10 MB in chunks of 64 KB", _chunks(10_000_000, 65_536), (200,)),
        ("1 MB in chunks of 7 bytes", _chunks(1_000_000, 7), (200,)),
        ("40 MB in chunks", _chunks(40_000_000, 65_536), (413,)),
        ("50,000 entries as drafts", drafts, (200, 400, 413)),
    )
    for name, body, right in bodies:
        path = SELECT if "drafts" in name else FEEDBACK if "feedback" in name else VIEW
        yield Post(path, body, note=name), right


def feedback(*cards: str, suggestions: int = 0, comment: str = "faults") -> Post:
    """An answer to each of these cards."""
    answer = {"outcome": "overridden", "outcomeTimestamp": "2026-01-02T03:04:05Z",
              "overrideReason": {"userComment": comment}}  # fmt: skip
    if suggestions:
        answer |= {"outcome": "accepted", "acceptedSuggestions": [{"id": "1" * 36}] * suggestions}
    body = encoded({"feedback": [{"card": card, **answer} for card in cards]})
    return Post(FEEDBACK, body, note=cards[0])


def many_answers(count: int, suggestions: int = 50, comment: str = "x") -> Post:
    """Answers to so many cards, each with suggestions and a comment."""
    cards = (f"00000000-0000-4000-8000-{number:012}" for number in range(count))
    return feedback(*cards, suggestions=suggestions, comment=comment)


def mutated(count: int, seed: int, *others: dict[str, Any]) -> Iterator[Post]:
    """``count`` damaged calls, the same ones for the same seed; the note names the ways.

    They are made from all scenarios, from feedback, and from ``others``.
    """
    draw = random.Random(seed)
    originals = [*scenarios(), json.loads(feedback(INSTANCE).body), *others]
    for _ in range(count):
        original = draw.choice(originals)
        path = PATHS.get(original.get("hook", ""), FEEDBACK)
        changes = draw.choice((1, 1, 2, 4, 12)) if draw.random() < 0.8 else 0
        tree, names = damaged(draw, original, changes)
        body = as_json(draw, tree)
        if not names or draw.random() < 0.45:
            body, name = damaged_bytes(draw, body)
            names.append(name)
        headers: dict[str, str] = {}
        if draw.random() < 0.08:
            headers = dict([draw.choice(HEADERS)])
            names.append("headers")
        if draw.random() < 0.03:
            path = draw.choice(ADDRESSES)
            names.append("path")
        yield Post(path, body, headers, "+".join(names))


class FeedbackTally(CallTally):
    """Tally of feedback on cards, each to a card of its own; remembers those acknowledged."""

    def __init__(self, right: Right = (200,)) -> None:
        super().__init__(right)
        self.acknowledged: set[str] = set()
        self.refusal_s = 0.0

    def calls(self) -> Iterator[Post]:
        """Feedback calls without end, one answer each; the card is the call's note."""
        return (feedback(str(uuid.uuid4())) for _ in itertools.count())

    def add(self, answered: Answered) -> None:
        """Count one, and remember its card if it was answered with 200."""
        super().add(answered)
        if answered.status == 200:
            self.acknowledged.add(answered.call.note)
        elif answered.status == 503:
            self.refusal_s = max(self.refusal_s, answered.seconds)


class Signer:
    """One client of the list; its keys are in the list, or at the address ``jku``."""

    def __init__(self, iss: str, **entry: Any) -> None:
        self._pem, self._public = make_key_pair("ES384")
        self.key_set = {"keys": [self._public]}
        self.entry = {"iss": iss, **({} if "jku" in entry else {"jwks": self.key_set}), **entry}

    def claims(self, service: str = PUBLIC_URL) -> dict[str, Any]:
        """The claims of a good token."""
        now, jti = int(time.time()), str(uuid.uuid4())
        iss, aud = self.entry["iss"], service + VIEW
        return {"iss": iss, "aud": aud, "iat": now, "exp": now + 300, "jti": jti}

    def token(self, payload: bytes) -> str:
        """A token around these bytes."""
        header = {"typ": "JWT", "kid": self._public["kid"]}
        return jwt.PyJWS().encode(payload, self._pem, "ES384", header)

    def signed(self, call: Post | None = None, payload: bytes = b"") -> Post:
        """The call (else any to patient-view) with a token: a good one, or around ``payload``."""
        token = self.token(payload or encoded(self.claims()))
        return replace(call or good_calls(VIEW)[0], headers={"Authorization": f"Bearer {token}"})

    def calls(self, *calls: Post) -> Iterator[Post]:
        """These calls (else good ones) again and again, each with a token of its own."""
        return map(self.signed, itertools.cycle(calls or good_calls(VIEW)))


def client_list(folder: Path, *signers: Signer) -> str:
    """The path of a client list with these clients."""
    path = folder / "clients.json"
    path.write_text(json.dumps([signer.entry for signer in signers]), encoding="utf-8")
    return str(path)


def head(length: int | None) -> bytes:
    """The head of a POST, written by hand; without a length it is chunked."""
    body = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (f"POST {VIEW} HTTP/1.1", "Host: cds.example", "Content-Type: application/json", body)
    return "\r\n".join((*lines, "", "")).encode()


def connect(port: int) -> socket.socket:
    """A new connection to the service."""
    return socket.create_connection((HOST, port), timeout=20)


def status_on(line: socket.socket) -> int:
    """Status of the answer on ``line``; 0 where the server closed without one."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        answer = http.client.HTTPResponse(line)
        answer.begin()
        answer.read()
        return answer.status
    return 0


def reset(line: socket.socket) -> None:
    """Close the connection with a reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


@contextlib.contextmanager
def strangers(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections without a token that send a head and one byte of the body."""
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(connect(port)) for _ in range(count)]
        for line in lines:
            line.sendall(head(1_000_000) + b"{")
        yield lines
