"""What hostile callers send: bodies, texts and connections that once stopped the service."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tools.faults.calls import FEEDBACK, VIEW, Signer, connect, encoded, head, view
from tools.faults.load import Call

UNENDED = Call(VIEW, b'{"a":"' + b'\\"' * 24_000, note="48 kB without an end")
_PATIENT = {"resourceType": "Patient", "id": "p1", "gender": "female", "birthDate": "1950-01-01"}


def with_texts(texts: list[str], *, as_codes: bool = False) -> Call:
    """A call whose conditions are these texts, or have them for codes."""
    entries = [
        {
            "resource": {
                "resourceType": "Condition", "id": f"c{number}",
                "subject": {"reference": "Patient/p1"},
                "code": {"coding": [{"system": "urn:x", "code": text}]} if as_codes
                else {"text": text},
            }
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return view({"patient": _PATIENT, "conditions": bundle})


def with_products(texts: list[str]) -> Call:
    """A call whose medications are products of these names."""
    entries = [
        {
            "resource": {
                "resourceType": "MedicationRequest", "id": f"m{number}", "status": "active",
                "intent": "order", "subject": {"reference": "Patient/p1"},
                "medicationCodeableConcept": {"text": text},
            }
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return view({"patient": _PATIENT, "medicationRequests": bundle})


def padded(size: int, filler: bytes = b"x") -> Call:
    """A call of ``size`` bytes, most of them one text under a key of the client's own."""
    small = view({"patient": _PATIENT, "extra": "@"}).body
    before, _, after = small.partition(b"@")
    return Call(VIEW, before + filler * (size - len(small)) + after)


def many_answers(count: int) -> Call:
    """A feedback body with so many answers, each with suggestions and a comment."""
    one = {
        "card": "00000000-0000-4000-8000-000000000000", "outcome": "accepted",
        "outcomeTimestamp": "2026-01-02T03:04:05Z",
        "acceptedSuggestions": [{"id": "1" * 36}] * 50,
    }  # fmt: skip
    return Call(FEEDBACK, encoded({"feedback": [one] * count}))


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
