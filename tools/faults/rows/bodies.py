"""Bodies and connections at the edges: deep, giant, endless, slow, broken off."""

from __future__ import annotations

import itertools
import json
import socket
import time
from contextlib import suppress

from tools.faults import wire
from tools.faults.bodies import FEEDBACK, SELECT, VIEW, good_calls, view_call, with_results
from tools.faults.load import Answered, Call, Client, Tally, endless, flaw, under_load
from tools.faults.run import Row, Run, pause
from tools.faults.service import serving

_HEAD = (
    b'{"hook":"patient-view","hookInstance":"h","context":{"userId":"Practitioner/1",'
    b'"patientId":"p1"},"prefetch":{"patient":{"resourceType":"Patient","id":"p1"},'
)


def _result(value: bytes) -> bytes:
    return (
        _HEAD + b'"results":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":'
        b'"Observation","id":"o","status":"final","subject":{"reference":"Patient/p1"},"code":'
        b'{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"effectiveDateTime":'
        b'"2026-01-01T00:00:00Z","valueQuantity":{"value":' + value + b',"unit":"mmol/L"}}}]}}}'
    )


def _nested(levels: int) -> bytes:
    return _HEAD + b'"x":' + b"[" * levels + b"]" * levels + b"}}"


def _padded(size: int) -> bytes:
    body = _HEAD + b'"x":"'
    return body + b"x" * (size - len(body) - 3) + b'"}}'


def _edges() -> list[tuple[str, Call, set[int]]]:
    """Name, call, and the statuses of which one is right."""
    big = with_results(49_999)  # and the patient
    return [
        ("60 levels deep", Call(VIEW, _nested(57)), {200}),
        ("65 levels deep", Call(VIEW, _nested(63)), {400}),
        ("100,000 levels deep", Call(VIEW, _nested(100_000)), {400}),
        ("5 million levels, never closed", Call(VIEW, b"[" * 5_000_000), {400}),
        ("100,000 levels in feedback", Call(FEEDBACK, b'{"feedback":' + b"[" * 100_000), {400}),
        ("1e400 as a result", Call(VIEW, _result(b"1e400")), {200, 400}),
        ("a result of 1,000,000 digits", Call(VIEW, _result(b"7" * 1_000_000)), {200, 400}),
        ("1,000,000 decimals", Call(VIEW, _result(b"0." + b"3" * 1_000_000)), {200, 400}),
        ("1e-999999999", Call(VIEW, _result(b"1e-999999999")), {200, 400}),
        ("each key twice", Call(VIEW, view_call().body[:-1] + b"," + view_call().body[1:]),
         {200, 400}),
        ("a key 100,000 times", Call(VIEW, _HEAD + b'"x":1,' * 100_000 + b'"x":1}}'), {200, 400}),
        ("100,000 prefetch keys",
         Call(VIEW, _HEAD + b",".join(b'"k%d":{}' % at for at in range(100_000)) + b"}}"),
         {200, 400, 413}),
        ("10 MB", Call(VIEW, _padded(10_000_000)), {200}),
        ("40 MB", Call(VIEW, _padded(40_000_000)), {413}),
        ("40 MB of feedback", Call(FEEDBACK, _padded(40_000_000)), {413}),
        ("50,000 entries", Call(VIEW, big), {200}),
        ("100,000 entries", Call(VIEW, with_results(100_000)), {413}),
        ("50,000 entries as drafts", Call(SELECT, big.replace(b"patient-view", b"order-select")
                                          .replace(b'"patientId":"p1"', b'"patientId":"p1",'
                                                   b'"selections":[],"draftOrders":{}')),
         {200, 400, 413}),
    ]  # fmt: skip


def _bodies(run: Run) -> None:
    slowest = ("", 0.0)
    tally = Tally()
    others = Tally(keep=lambda answered: answered.status != 200)
    with (
        serving(run.folder) as service,
        under_load(
            service.port, endless(good_calls()[:20]), others.add, connections=1, pause_s=0.01
        ),
    ):
        client = Client(service.port, fresh=True)
        for name, call, right in _edges():
            answered = client.send(call)
            tally.add(answered)
            bad = flaw(answered)
            run.say(f"    {name}: {answered.status} in {answered.seconds * 1000:.0f} ms")
            run.must(not bad and answered.status in right, f"{name}: {bad or answered.status}")
            slowest = max(slowest, (name, answered.seconds), key=lambda one: one[1])
        for name, size, count, wanted in (
            ("10 MB in chunks of 64 KB", 65_536, 10_000_000, 200),
            ("1 MB in chunks of 7 bytes", 7, 1_000_000, 200),
            ("40 MB in chunks", 65_536, 40_000_000, 413),
        ):
            found, said = _chunked(service.port, _padded(count), size)
            run.say(f"    {name}: {found}")
            run.must(found == wanted, f"{name}: {found} {said[:80]!r}")
            tally.add(Answered(Call(VIEW, b""), found, 0.0))
        run.must_be_clean(service)
        peak = max(service.rss_kb().values()) / 1024
    run.figure(f"{tally.total} bodies: {tally.said()}")
    run.figure(f"slowest: {slowest[0]}, {slowest[1]:.2f} s; worker afterwards {peak:.0f} MiB")
    run.figure(f"others meanwhile: {others.said()}, p99 {others.quantile_ms(0.99):.0f} ms")
    run.must(not others.kept, f"others were not answered: {others.said()}")


def _chunked(port: int, body: bytes, size: int) -> tuple[int, bytes]:
    with wire.connect(port) as line:
        line.sendall(wire.head(VIEW, None) + wire.chunked(body, size))
        return wire.said(line)


def _slow_clients(run: Run) -> None:
    count, seconds = run.many(200, 200), run.many(25, 13)
    body = view_call().body
    others = Tally(keep=lambda answered: answered.status != 200)
    with serving(run.folder) as service:
        before = Tally()
        with under_load(service.port, endless(good_calls()), before.add, 4, pause_s=0.005):
            pause(2)
        heads = [wire.connect(service.port) for _ in range(count)]
        slow = [wire.connect(service.port) for _ in range(count)]
        for line in heads:
            line.sendall(f"POST {VIEW} HTTP/1.1\r\nHost: x\r\n".encode())
        for line in slow:
            line.sendall(wire.head(VIEW, len(body)) + body[:1])
        with under_load(service.port, endless(good_calls()), others.add, 4, pause_s=0.005):
            ended = time.monotonic() + seconds
            for at in itertools.count(1):
                for line in slow:
                    with suppress(OSError):  # it has been told that it is too slow
                        line.sendall(body[at : at + 1])
                dropped = _trickle(heads)
                if time.monotonic() > ended:
                    break
                pause(0.5)
            statuses = [wire.said(line)[0] for line in slow]
        for line in (*heads, *slow):
            line.close()
        run.must(service.ready(), "not ready afterwards")
        run.must_be_clean(service)
    run.figure(
        f"{count} slow heads ({dropped} cut off after the server's 10 s) and {count} bodies at "
        f"2 bytes/s for {seconds} s: {statuses.count(408)} of these bodies told so (408)"
    )
    run.figure(
        f"others meanwhile: {others.said()}, p99 {others.quantile_ms(0.99):.0f} ms "
        f"(without them {before.quantile_ms(0.99):.0f} ms)"
    )
    run.must(not others.kept, f"others were not answered: {others.said()}")
    run.must(others.total > seconds * 20, f"others were starved: {others.total} answers")
    run.must(dropped == count, f"{count - dropped} slow heads were kept")
    run.must(statuses.count(408) == count, f"slow bodies: {sorted(set(statuses))}")


def _trickle(lines: list[socket.socket]) -> int:
    """Send one byte more of each head; how many the server has ended."""
    ended = 0
    for line in lines:
        try:
            line.settimeout(0.001)
            line.sendall(b"x")
            if line.recv(1) == b"":
                ended += 1
        except TimeoutError:
            continue
        except OSError:
            ended += 1
    return ended


def _broken_off(run: Run) -> None:
    count = run.many(600, 120)
    body = view_call().body
    others = Tally(keep=lambda answered: answered.status != 200)
    told: list[int] = []
    with serving(run.folder) as service:
        with under_load(service.port, endless(good_calls()), others.add, 2, pause_s=0.005):
            for number in range(count):
                line = wire.connect(service.port)
                way = number % 6
                if way == 0:
                    line.sendall(wire.head(VIEW, len(body))[:40])
                elif way == 1:
                    line.sendall(wire.head(VIEW, len(body)) + body[: len(body) // 2])
                elif way == 2:
                    line.sendall(wire.head(VIEW, len(body)) + body)
                elif way == 3:
                    line.sendall(wire.head(VIEW, None) + wire.chunked(body, 100)[:250])
                elif way == 4:
                    line.sendall(wire.head(VIEW, len(body)) + body[: len(body) // 2])
                    line.shutdown(socket.SHUT_WR)
                    status, said = wire.said(line)
                    told.append(status)
                    if status:
                        json.loads(said)
                else:
                    line.sendall(b"\x16\x03\x01nonsense\r\n\r\n")
                wire.reset(line) if number % 2 else line.close()
            pause(1)
        run.must(service.ready(), "not ready afterwards")
        run.must_be_clean(service)
        run.must(len(service.worker_pids()) == 2, "a worker died")
        run.must("Unexpected exit" not in service.log, "a worker died")
    run.figure(
        f"{count} connections dropped in the head, in the body, before the answer, in a chunk, "
        f"half closed, or sending no HTTP; others: {others.said()}, "
        f"p99 {others.quantile_ms(0.99):.0f} ms"
    )
    answers = {status: told.count(status) for status in sorted(set(told))}
    run.figure(f"half-closed bodies were answered {answers} (0: closed)")
    run.must(not others.kept, f"others were not answered: {others.said()}")
    run.must(all(status in (0, 400) for status in told), f"half-closed bodies: {answers}")


ROWS = (
    Row(
        "bodies",
        "nesting to 5 million levels, 1e400 and a million digits, keys twice and 100,000 times, "
        "10 and 40 MB, chunked uploads, Bundles of 50,000 and 100,000 entries",
        "each the right status (400 too deep, 413 too large, 200 within the limits) as JSON; "
        "others are served meanwhile",
        _bodies,
    ),
    Row(
        "slow-clients",
        "hundreds of connections that send their head or their body byte by byte",
        "others are served; slow heads are cut off; slow bodies get 408",
        _slow_clients,
    ),
    Row(
        "broken-off",
        "connections that end in the middle of a request, or speak no HTTP",
        "others are served, no worker dies, nothing unforeseen is logged",
        _broken_off,
    ),
)
