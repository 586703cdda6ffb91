"""Damaged calls, bodies and connections at the limits, tokens from clocks that jump."""

from __future__ import annotations

import json
import select
import socket
import time
import tomllib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from tools.faults import calls
from tools.faults.calls import VIEW
from tools.faults.conftest import PageRow
from tools.faults.load import CallTally, Sender, flaw, send_all


def test_mutants(row: PageRow) -> None:
    """20,000 mutated calls over 8 connections to 2 workers: bytes flipped or cut off; nodes
    dropped, replaced, doubled or nested deeper; types swapped; odd Unicode; huge numbers; repeated
    keys; wrong headers and paths

    no 5xx and no lost connection; every answer is JSON, and every error an OperationOutcome
    """
    count = row.many(20_000, 2_000)
    tally = row.tallies["mutants"] = CallTally(lambda answered: not flaw(answered))
    with row.serving() as service:
        send_all(calls.mutated(count, row.seed), service.port, tally)
    row.must(tally.total == count, f"only {tally.total:,} of {count:,} were sent")


def test_bodies(row: PageRow) -> None:
    """nesting of up to 5 million levels, 1e400 and a million digits, a key given twice and
    100,000 times, 10 and 40 MB, chunked uploads, Bundles of 50,000 and 100,000 entries

    each is answered in JSON with the right status (400 if too deep, 413 if too large, 200 within
    the limits); others are served meanwhile
    """
    with row.serving(), row.load("others", calls.good_calls()[:20], 1, pause_s=0.01):
        for call, right in calls.edges():
            (answered,) = row.send(call.note, call, right=right)
            row.must(not flaw(answered), f"{call.note}: {flaw(answered)}")
        row.figure(f"worker afterwards {max(row.service.memory_mb()):.0f} MB")


def test_slow_clients(row: PageRow) -> None:
    """hundreds of connections that send their head or their body byte by byte

    others are served; slow heads are cut off; slow bodies get 408
    """
    count, seconds = 200, row.many(25, 13)
    body = calls.good_calls(VIEW)[0].body
    with row.serving() as service:
        row.loaded(2, "without them", calls.good_calls())
        heads, slow = ([calls.connect(service.port) for _ in range(count)] for _ in range(2))
        for line in heads:
            line.sendall(f"POST {VIEW} HTTP/1.1\r\nHost: x\r\n".encode())
        for line in slow:
            line.sendall(calls.head(len(body)) + body[:1])
        with row.load("others", calls.good_calls()) as others:
            for _ in range(2 * seconds):
                for line in (*heads, *slow):
                    with suppress(OSError):  # it may have got its 408 by now
                        line.sendall(b"x")
                time.sleep(0.5)
            dropped = len(select.select(heads, [], [], 0)[0])
            statuses = [calls.status_on(line) for line in slow]
        for line in (*heads, *slow):
            line.close()
    row.must(others.total > seconds * 20, f"others were starved: {others.total} answers")
    refused = statuses.count(408)
    row.figure(f"{count} slow heads, {dropped} cut off after the server's 10 s", dropped == count)
    text = f"{count} bodies at 2 bytes/s for {seconds} s, {refused} told so (408)"
    row.figure(text, refused == count)


def test_broken_off(row: PageRow) -> None:
    """connections that end in the middle of a request, or do not speak HTTP

    others are served, no worker dies, nothing unforeseen is logged
    """
    count = row.many(600, 120)
    body = calls.good_calls(VIEW)[0].body
    half = calls.head(len(body)) + body[: len(body) // 2]
    ways = (
        half[:40], half, calls.head(len(body)) + body,
        calls.head(None) + b"64\r\n" + body[:100] + b"\r\n64\r\n" + body[100:150], half,
        b"\x16\x03\x01nonsense\r\n\r\n",
    )  # fmt: skip
    statuses: Counter[int] = Counter()
    with row.serving() as service, row.load("others", calls.good_calls(), 2):
        for number in range(count):
            line = calls.connect(service.port)
            line.sendall(ways[number % 6])
            if number % 6 == 4:
                line.shutdown(socket.SHUT_WR)
                statuses[calls.status_on(line)] += 1
            calls.reset(line) if number % 2 else line.close()
        time.sleep(1)
    row.figure(f"{count} connections dropped in the head, in the body, before the answer, in a "
               "chunk, half closed, or not sending HTTP")  # fmt: skip
    row.figure(f"half-closed bodies got {dict(statuses)} (0: closed)", set(statuses) <= {0, 400})


def _payload(claims: dict[str, Any], changes: dict[str, str]) -> bytes:
    """The JSON of a token: ``changes`` are texts as in odd_times.toml."""
    texts = {name: json.dumps(value) for name, value in claims.items()}
    for name, text in changes.items():
        base, _, offset = text.partition("now")
        texts[name] = str(int(time.time()) + float(offset or 0)) if not base and text else text
    pairs = ",".join(f'"{name}":{text}' for name, text in texts.items() if text)
    return f"{{{pairs}}}".encode()


def test_token_clocks(row: PageRow) -> None:
    """tokens whose iat, exp and nbf are off by seconds, years or 10^400 s, or are not numbers; one
    token from sixteen connections at once, and after a restart

    a token is accepted within 60 s of leeway, and otherwise gets 401, never a 5xx; it is accepted
    once
    """
    signer, rounds = calls.Signer("https://ehr.example"), row.many(20, 3)
    statuses: Counter[int] = Counter()
    used = [signer.signed() for _ in range(rounds)]
    odd = tomllib.loads(Path(__file__).with_name("odd_times.toml").read_text(encoding="utf-8"))
    with row.serving(signer) as service:
        client = Sender(service.port)
        for name, (expected, changes) in [*odd.items()] * rounds:
            answered = client.send(signer.signed(payload=_payload(signer.claims(), changes)))
            statuses[answered.status] += 1
            outcome = flaw(answered) or answered.status
            row.must(outcome == expected, f"{name}: {outcome} instead of {expected}")
        client.line.close()
        for call in used:
            race = send_all([call] * 16, service.port, CallTally(), connections=16)
            row.must(
                race.statuses == {200: 1, 401: 15}, f"one token sent 16 times: {race.in_words()}"
            )
        service.stop()
    with row.serving(signer) as service:
        again = row.tallies["used tokens after a restart"] = CallTally((401,))
        send_all(used, service.port, again, connections=1)
    row.figure(
        f"{len(odd)} odd times, {rounds} times each: {statuses[200]} × 200, {statuses[401]} × 401"
    )
    row.figure(f"{rounds} tokens sent 16 times at once to 2 workers: 1 × 200 and 15 × 401 each")
