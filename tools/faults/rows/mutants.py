"""Spoilt calls: thousands of mutants, and hypothesis looking for the smallest one that hurts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tools.faults.bodies import FEEDBACK, SELECT, VIEW
from tools.faults.load import Answered, Call, Client, Tally, flaw, send_all
from tools.faults.mutator import mutated
from tools.faults.run import Row, Run
from tools.faults.service import serving


def _mutants(run: Run) -> None:
    count = run.many(20_000, 2_000)
    flaws: Counter[str] = Counter()
    tally = Tally(keep=lambda answered: bool(flaw(answered)))

    def hear(answered: Answered) -> None:
        tally.add(answered)
        if found := flaw(answered):
            flaws[found] += 1
        if tally.total % 5_000 == 0:
            run.say(f"    {tally.total:,} of {count:,}")

    with serving(run.folder) as service:
        send_all(mutated(count, run.seed), service.port, hear, connections=8)
        run.must_be_clean(service)
        run.must(service.ready(), "not ready afterwards")
    run.figure(f"{tally.total:,} calls: {tally.said()}")
    run.figure(f"p50 {tally.quantile_ms(0.5):.1f} ms, p99 {tally.quantile_ms(0.99):.1f} ms")
    for number, answered in enumerate(tally.kept[:20]):
        (run.folder / f"flaw-{number}.bin").write_bytes(answered.call.body)
        run.say(f"    {flaw(answered)}: {answered.call.note} at {answered.call.path}")
    run.must(tally.total == count, f"only {tally.total:,} of {count:,} were sent")
    run.must(not flaws, f"flaws: {dict(flaws)}")


def _properties(run: Run) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30)
    anything: Any = st.recursive(
        leaf, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=12), inner),
        max_leaves=20,
    )  # fmt: skip
    resources = st.sampled_from(("Observation", "Condition", "MedicationRequest", "Bundle", ""))
    names = st.sampled_from(
        ("resourceType", "id", "code", "coding", "subject", "entry", "resource", "status",
         "valueQuantity", "effectiveDateTime", "dosageInstruction", "text", "value", "unit")
    )  # fmt: skip
    resource = st.builds(
        lambda kind, rest: {"resourceType": kind, **rest},
        resources, st.dictionaries(names, anything, max_size=6),
    )  # fmt: skip
    bundle = st.builds(
        lambda inner: {"resourceType": "Bundle", "entry": [{"resource": one} for one in inner]},
        st.lists(resource, max_size=4),
    )
    keys = ("patient", "results", "conditions", "medicationRequests", "orders", "allergies")
    prefetch = st.dictionaries(st.sampled_from(keys), bundle | resource | anything, max_size=6)
    drafts = bundle | anything
    call = st.builds(
        lambda hook, sent, picked: json.dumps(
            {
                "hook": hook,
                "hookInstance": "h",
                "context": {"userId": "Practitioner/1", "patientId": "p1", "selections": ["a/b"],
                            "draftOrders": picked},
                "prefetch": sent,
            }
        ).encode(),
        st.sampled_from(("patient-view", "order-select")), prefetch, drafts,
    )  # fmt: skip
    answers = st.builds(lambda one: json.dumps({"feedback": one}).encode(), anything)
    raw = st.binary(max_size=400) | anything.map(lambda value: json.dumps(value).encode())
    tally = Tally()

    with serving(run.folder) as service:
        client = Client(service.port)

        @settings(
            max_examples=run.many(2_000, 200), deadline=None, database=None, derandomize=True,
            phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(call | answers | raw, st.sampled_from((VIEW, SELECT, FEEDBACK)))
        def every_answer_is_right(body: bytes, path: str) -> None:
            answered = client.send(Call(path, body))
            tally.add(answered)
            found = flaw(answered)
            assert not found, f"{found} at {path}: {body[:400]!r}"

        try:
            every_answer_is_right()
        except AssertionError as error:
            run.must(False, str(error)[:500])
        client.close()
        run.must_be_clean(service)
    run.figure(f"{tally.total:,} calls: {tally.said()}; p99 {tally.quantile_ms(0.99):.1f} ms")


_HOLD = "no 5xx, no lost connection, every answer JSON, every error an OperationOutcome"
ROWS = (
    Row(
        "mutants",
        "20,000 mutated calls over 8 connections, 2 workers: flipped bytes, cuts, nodes dropped, "
        "replaced, doubled, deepened, types swapped, odd Unicode, huge numbers, keys twice, "
        "wrong headers and paths",
        _HOLD,
        _mutants,
    ),
    Row("properties", "2,000 calls that hypothesis makes up", _HOLD, _properties),
)
