"""Tokens from clocks that jump, and tokens used twice."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import Any

from tools.faults.callers import Signer, client_list
from tools.faults.load import Answered, Client, flaw
from tools.faults.run import Row, Run
from tools.faults.service import serving

_END_OF_9999 = 253_402_300_799
_LEFT_OUT = object()


def _odd_times(now: int) -> list[tuple[str, dict[str, Any], int]]:
    """What is odd, the changed claims (texts starting with ``raw:`` as they are), the status."""
    year = 31_556_952
    return [
        ("good", {}, 200),
        ("issued in 30 s", {"iat": now + 30}, 200),
        ("issued in 2 minutes", {"iat": now + 120}, 401),
        ("issued in a year", {"iat": now + year, "exp": now + year + 300}, 401),
        ("expired 30 s ago", {"exp": now - 30}, 200),
        ("expired 2 minutes ago", {"exp": now - 120}, 401),
        ("expired a year ago", {"iat": now - year, "exp": now - year + 300}, 401),
        ("issued 10 years ago, still good", {"iat": now - 10 * year}, 401),
        ("good for 10 years", {"exp": now + 10 * year}, 401),
        ("good until 9999", {"exp": _END_OF_9999}, 401),
        ("good after 9999", {"exp": _END_OF_9999 + 1}, 401),
        ("expired before it was issued", {"iat": now, "exp": now - 30}, 200),
        ("milliseconds", {"iat": now * 1000, "exp": now * 1000 + 300_000}, 401),
        ("fractions", {"iat": now - 0.5, "exp": now + 0.5}, 200),
        ("nothing before 1970", {"iat": -now}, 401),
        ("1970", {"iat": 0}, 401),
        ("1 s after 1970", {"iat": 1}, 401),
        ("2^63", {"exp": 2**63}, 401),
        ("10^400 digits", {"exp": "raw:1" + "0" * 400}, 401),
        ("1e400", {"exp": "raw:1e400"}, 401),
        ("-1e400", {"iat": "raw:-1e400"}, 401),
        ("NaN", {"exp": "raw:NaN"}, 401),
        ("text", {"exp": str(now + 300)}, 401),
        ("true", {"iat": True}, 401),
        ("null", {"exp": None}, 401),
        ("a list", {"iat": [now]}, 401),
        ("no exp", {"exp": _LEFT_OUT}, 401),
        ("no iat", {"iat": _LEFT_OUT}, 401),
        ("valid in 30 s", {"nbf": now + 30}, 200),
        ("valid in 2 minutes", {"nbf": now + 120}, 401),
        ("valid from null", {"nbf": None}, 200),
        ("valid from text", {"nbf": "now"}, 401),
    ]


def _payload(claims: dict[str, Any], changes: dict[str, Any]) -> bytes:
    said = {name: value for name, value in (claims | changes).items() if value is not _LEFT_OUT}
    members = []
    for name, value in said.items():
        raw = isinstance(value, str) and value.startswith("raw:")
        members.append(f"{json.dumps(name)}:{value[4:] if raw else json.dumps(value)}")
    return ("{" + ",".join(members) + "}").encode()


def _clocks(run: Run) -> None:
    signer = Signer("https://ehr.example")
    settings = {"TRUSTED_CLIENTS": client_list(run.folder, signer)}
    found: Counter[int] = Counter()
    first: list[Answered] = []
    rounds = run.many(20, 3)
    with serving(run.folder, settings=settings) as service:
        client = Client(service.port)
        path = signer.call().path
        for _ in range(rounds):
            for name, changes, wanted in _odd_times(int(time.time())):
                payload = _payload(signer.claims(path, time.time()), changes)
                answered = client.send(signer.call(payload))
                found[answered.status] += 1
                bad = flaw(answered)
                run.must(not bad and answered.status == wanted,
                         f"{name}: {bad or answered.status} instead of {wanted}")  # fmt: skip
        for _ in range(rounds):
            first.append(_race(service.port, signer, run))
        run.must_be_clean(service)
        service.stop()
    again: Counter[int] = Counter()
    with serving(run.folder, settings=settings) as service:
        client = Client(service.port)
        again.update(client.send(answered.call).status for answered in first)
        run.must_be_clean(service)
    run.must(set(again) == {401}, f"used tokens after a restart: {dict(again)}")
    odd = len(_odd_times(0))
    run.figure(f"{odd} odd times, {rounds} times each: {found[200]} × 200, {found[401]} × 401")
    run.figure(
        f"{rounds} tokens sent 16 times at once to 2 workers: 1 × 200 and 15 × 401 each; after a "
        f"restart {again[401]} × 401"
    )


def _race(port: int, signer: Signer, run: Run) -> Answered:
    """One token, sent by sixteen at once: the answer to the one who was let in."""
    call = signer.call()
    heard: list[Answered] = []
    gate = threading.Barrier(16)

    def send() -> None:
        gate.wait()
        heard.append(Client(port, fresh=True).send(call))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = Counter(answered.status for answered in heard)
    run.must(statuses == {200: 1, 401: 15}, f"one token sent 16 times: {dict(statuses)}")
    return heard[0]


ROWS = (
    Row(
        "token-clocks",
        "tokens whose iat, exp and nbf lie seconds, years or 10^400 s off, or are no numbers; "
        "one token from sixteen connections at once, and after a restart",
        "accepted within 60 s of leeway, else 401; never a 5xx; a token is good once",
        _clocks,
    ),
)
