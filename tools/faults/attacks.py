"""What hostile callers send: bodies, texts and connections that once stopped the service."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tests.testing import fhir
from tools.faults.calls import (
    FEEDBACK,
    INSTANCE,
    VIEW,
    Signer,
    connect,
    encoded,
    feedback,
    head,
    view,
)
from tools.faults.load import Call

UNENDED = Call(VIEW, b'{"a":"' + b'\\"' * 24_000, note="48 kB without an end")


def with_texts(texts: list[str], *, as_codes: bool = False) -> Call:
    """A call whose conditions are these texts, or have them for codes."""
    made = (fhir.condition(None, ("urn:x", one)) if as_codes else fhir.condition(one)
            for one in texts)  # fmt: skip
    return view({"patient": fhir.patient(), "conditions": _numbered(made)})


def with_products(texts: list[str]) -> Call:
    """A call whose medications are products of these names."""
    made = map(fhir.prescription, texts)
    return view({"patient": fhir.patient(), "medicationRequests": _numbered(made)})


def _numbered(made: Iterable[fhir.Json]) -> fhir.Json:
    return fhir.searchset(*({**one, "id": f"x{number}"} for number, one in enumerate(made)))


def padded(size: int, filler: bytes = b"x") -> Call:
    """A call of ``size`` bytes, most of them one text under a key of the client's own."""
    small = view({"patient": fhir.patient(), "extra": "@"}).body
    before, _, after = small.partition(b"@")
    return Call(VIEW, before + filler * (size - len(small)) + after)


def many_answers(count: int, suggestions: int = 50, comment: str = "x") -> Call:
    """A feedback body with answers to so many cards, each with suggestions and a comment."""
    one = json.loads(feedback(INSTANCE))["feedback"][0]
    one |= {"outcome": "accepted", "acceptedSuggestions": [{"id": "1" * 36}] * suggestions,
            "overrideReason": {"userComment": comment}}  # fmt: skip
    cards = ({**one, "card": f"00000000-0000-4000-8000-{number:012}"} for number in range(count))
    return Call(FEEDBACK, encoded({"feedback": list(cards)}))


def signed(signer: Signer, call: Call) -> Call:
    """The call with a token of ``signer``."""
    headers: Mapping[str, str] = signer.call().headers
    return replace(call, headers=headers)


def endless(signer: Signer, *calls: Call) -> Iterator[Call]:
    """The calls again and again, each with a token of its own."""
    for call in itertools.cycle(calls):
        yield signed(signer, call)


@contextmanager
def strangers(port: int, count: int) -> Iterator[list[socket.socket]]:
    """So many connections without a token that send a head and one byte of the body."""
    lines: list[socket.socket] = []
    try:
        for _ in range(count):
            line = connect(port)
            lines.append(line)
            line.sendall(head(1_000_000) + b"{")
        yield lines
    finally:
        for line in lines:
            with suppress(OSError):
                line.close()


def hungry(port: int, ended: threading.Event, count: int) -> None:
    """Strangers who come again and again until ``ended``."""
    while not ended.is_set():
        with suppress(OSError), strangers(port, count):
            ended.wait(5)


def resident_mb(pids: list[int]) -> float:
    """Resident memory of the largest of these processes, in megabytes."""
    found = []
    for pid in pids:
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            found.append(int(status.partition("VmRSS:")[2].split()[0]) / 1000)
    return max(found, default=0.0)
