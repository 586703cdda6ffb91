"""The envelope: what is refused, with the place and the remedy, and what is tolerated."""

from __future__ import annotations

import copy
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cds_service.calls import shapes
from cds_service.calls.envelope import Envelope, _by_schemas, read_envelope
from cds_service.calls.strict_json import MAX_DEPTH, too_deep
from cds_service.core.identity import ANYBODY, Origin
from cds_service.engine.hook import HOOKS, Hook
from cds_service.engine.topic import Service
from cds_service.errors import BadRequest
from cds_service.fhir.values.peeks import read_page
from tests.api.minimal_service import (
    NOW,
    QUININE,
    SELECT,
    VIEW,
    body,
    issue,
    order_body,
    post,
    potassium,
    prefetch,
    topics,
)
from tests.testing import fhir
from tests.testing.fhir import searchset
from tests.testing.mutations import MUTATIONS
from tests.testing.thorough import ALL

AUTHORIZATION = {
    "access_token": "t",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.read",
    "subject": "cds",
}
CONTEXT = {"userId": "Practitioner/7", "patientId": "p1"}


def _without(name: str, part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != name}


def _context(**changes: Any) -> dict[str, Any]:
    return body(context=CONTEXT | changes)


def _orders(**changes: Any) -> dict[str, Any]:
    call = order_body(QUININE)
    call["context"] |= changes
    return call


VIEW_REFUSED = {
    "no hook": (_without("hook", body()), "hook"),
    "another hook": (body(hook="order-select"), "hook"),
    "a hook that is a number": (body(hook=1), "hook"),
    "no hookInstance": (_without("hookInstance", body()), "hookInstance"),
    "an empty hookInstance": (body(hookInstance=""), "hookInstance"),
    "a hookInstance that is a number": (body(hookInstance=7), "hookInstance"),
    "no context": (_without("context", body()), "context"),
    "a context that is null": (body(context=None), "context"),
    "a context that is text": (body(context="p1"), "context"),
    "no patientId": (body(context=_without("patientId", CONTEXT)), "context.patientId"),
    "a patientId with a type": (_context(patientId="Patient/p1"), "context.patientId"),
    "an empty patientId": (_context(patientId=""), "context.patientId"),
    "a patientId of blanks": (_context(patientId="  "), "context.patientId"),
    "a patientId with a line break at its end": (_context(patientId="p1\n"), "context.patientId"),
    "a patientId that is a parent folder": (_context(patientId=".."), "context.patientId"),
    "a patientId of two patients": (_context(patientId="p1,p2"), "context.patientId"),
    "a patientId with a query": (_context(patientId="p1&x=y"), "context.patientId"),
    "a patientId of 65 letters": (_context(patientId="x" * 65), "context.patientId"),
    "a patientId that is a number": (_context(patientId=12), "context.patientId"),
    "a patientId that is null": (_context(patientId=None), "context.patientId"),
    "no userId": (body(context=_without("userId", CONTEXT)), "context.userId"),
    "a userId without a type": (_context(userId="7"), "context.userId"),
    "a userId of a type that is not a user": (_context(userId="Device/7"), "context.userId"),
    "an encounterId with a type": (_context(encounterId="Encounter/e1"), "context.encounterId"),
    "an empty encounterId": (_context(encounterId=""), "context.encounterId"),
    "an encounterId that is a number": (_context(encounterId=3), "context.encounterId"),
    "prefetch that is a list": (body(prefetch=[]), "prefetch"),
    "prefetch that is text": (body(prefetch="x"), "prefetch"),
    "a fhirServer that is a number": (body(fhirServer=1), "fhirServer"),
    "fhirAuthorization without fhirServer": (body(fhirAuthorization=AUTHORIZATION), "fhirServer"),
    "fhirAuthorization with a null fhirServer": (
        body(fhirAuthorization=AUTHORIZATION, fhirServer=None),
        "fhirServer",
    ),
    "fhirAuthorization that is text": (
        body(fhirServer="https://f.example", fhirAuthorization="t"),
        "fhirAuthorization",
    ),
    "a token type that is not Bearer": (
        body(
            fhirServer="https://f.example", fhirAuthorization=AUTHORIZATION | {"token_type": "MAC"}
        ),
        "fhirAuthorization.token_type",
    ),
} | {
    f"fhirAuthorization without {name}": (
        body(fhirServer="https://f.example", fhirAuthorization=_without(name, AUTHORIZATION)),
        f"fhirAuthorization.{name}",
    )
    for name in AUTHORIZATION
}
SELECT_REFUSED = {
    "no selections": (
        body(hook="order-select", context=_without("selections", _orders()["context"])),
        "context.selections",
    ),
    "selections that are text": (_orders(selections="x"), "context.selections"),
    "a selection that is a number": (_orders(selections=["A/1", 2]), "context.selections[1]"),
    "no draftOrders": (
        body(hook="order-select", context=_without("draftOrders", _orders()["context"])),
        "context.draftOrders",
    ),
    "draftOrders that are a list": (_orders(draftOrders=[QUININE]), "context.draftOrders"),
    "draftOrders that are null": (_orders(draftOrders=None), "context.draftOrders"),
    "a patient as its user": (_orders(userId="Patient/p1"), "context.userId"),
}


@pytest.mark.parametrize(
    ("path", "call", "place"),
    [pytest.param(VIEW, *case, id=name) for name, case in VIEW_REFUSED.items()]
    + [pytest.param(SELECT, *case, id=name) for name, case in SELECT_REFUSED.items()],
)
def test_a_wrong_field_is_refused_with_its_place_and_the_remedy(
    client: FlaskClient, path: str, call: dict[str, Any], place: str
) -> None:
    response = post(client, path, call)

    assert response.status_code == 400
    reported = issue(response)
    assert reported["expression"] == [place]
    assert reported["severity"] == "error"
    assert reported["diagnostics"].startswith("Send ")


MALFORMED = {
    "nothing": b"",
    "blanks": b" \n ",
    "half an object": b'{"hook": "patient-view"',
    "a comment": b'{"hook": "patient-view" /* yes */}',
    "a comma too many": b'{"hook": "patient-view",}',
    "two objects": b"{} {}",
    "a list": b"[]",
    "null": b"null",
    "a number": b"3",
    "text": b'"patient-view"',
    "latin-1": '{"hook": "é"}'.encode("latin-1"),
    "not a number": b'{"hook": NaN}',
    "a number beyond all floats": b'{"hook": 1e400}',
    "such a number for an object": b'{"context": -1e400}',
    "thousands of digits": b'{"feedback": ' + b"7" * 5_000 + b"}",
    "form data": b"hook=patient-view",
    "UTF-16": json.dumps(body()).encode("utf-16"),
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", [VIEW, SELECT, f"{VIEW}/feedback"])
def test_a_body_that_is_not_a_json_object_is_refused(
    client: FlaskClient, path: str, content: bytes
) -> None:
    response = post(client, path, content)

    assert response.status_code == 400
    assert issue(response)["details"]["text"]


TOLERATED = {
    "a hookInstance that is not a UUID": body(hookInstance="call 7"),
    "an id with an underscore": _context(encounterId="e_1", userId="PractitionerRole/a_b.c-d~e"),
    "a patient as its user": _context(userId="Patient/p1"),
    "null where nothing is": _context(encounterId=None)
    | {"fhirServer": None, "fhirAuthorization": None},
    "extensions of an EHR": body(
        extension={"com.epic.cdshooks.request.bpa-trigger-action": 60}, something=[1, {"x": None}]
    )
    | {"context": CONTEXT | {"extension": {"x": [1]}, "other": None}},
    "a token type in small letters": body(
        fhirServer="https://f.example", fhirAuthorization=AUTHORIZATION | {"token_type": "bearer"}
    ),
    "scopes without a patient": body(
        fhirServer="https://f.example", fhirAuthorization=AUTHORIZATION | {"patient": None}
    ),
    "a FHIR server that is not a URL": body(fhirServer="somewhere"),
}


@pytest.mark.parametrize("call", TOLERATED.values(), ids=TOLERATED.keys())
def test_what_a_client_may_send_is_answered(client: FlaskClient, call: dict[str, Any]) -> None:
    assert topics(post(client, VIEW, call)) == ["low-potassium"]


def test_a_byte_order_mark_is_not_part_of_the_body(client: FlaskClient) -> None:
    assert topics(post(client, VIEW, b"\xef\xbb\xbf" + json.dumps(body()).encode()))


def test_of_duplicate_keys_the_last_counts(client: FlaskClient) -> None:
    text = json.dumps(body()).replace('"hook": ', '"hook": "order-select", "hook": ', 1)

    assert topics(post(client, VIEW, text.encode())) == ["low-potassium"]


@pytest.mark.parametrize("half", [r"\ud83d", r"\udca9", r"\ud83d x \udca9"])
def test_an_unpaired_surrogate_in_a_text_loses_nothing_else(client: FlaskClient, half: str) -> None:
    broken = json.dumps(
        body(prefetch=prefetch(conditions=searchset(fhir.resource("Condition", id="HALF"))))
    ).replace("HALF", half)

    assert topics(post(client, VIEW, broken.encode())) == ["low-potassium"]


def test_a_surrogate_pair_and_an_escaped_backslash_are_unchanged(client: FlaskClient) -> None:
    whole = json.dumps(body(hookInstance="BOTH")).replace("BOTH", r"\ud83d\udca9 \\ud83d \ud83d")

    assert topics(post(client, VIEW, whole.encode())) == ["low-potassium"]


def test_without_selections_the_answer_has_no_cards(client: FlaskClient) -> None:
    response = post(client, SELECT, order_body(QUININE, selections=[]))

    assert response.get_json() == {"cards": []}


def test_a_null_prefetch_counts_as_no_prefetch(client: FlaskClient) -> None:
    assert post(client, VIEW, body(prefetch=None)).status_code == 412


# --- depth ------------------------------------------------------------------------------


def _nested(levels: int) -> Any:
    value: Any = "leaf"
    for level in range(levels):
        value = [value] if level % 2 else {"x": value}
    return value


@pytest.mark.parametrize(("levels", "status"), [(MAX_DEPTH - 1, 200), (MAX_DEPTH, 400)])
def test_64_levels_are_read_and_65_are_not(client: FlaskClient, levels: int, status: int) -> None:
    assert post(client, VIEW, body(more=_nested(levels))).status_code == status


def test_brackets_inside_texts_do_not_count_as_depth(client: FlaskClient) -> None:
    noted = potassium("3.1") | {"note": [{"text": "[{" * 500 + '"\\' + "[" * 500}]}

    assert topics(post(client, VIEW, body(prefetch=prefetch(results=searchset(noted)))))


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_very_deep_nesting_is_refused_at_once(client: FlaskClient, opening: bytes) -> None:
    response = post(client, VIEW, opening * 100_000)

    assert response.status_code == 400
    assert "64 levels" in issue(response)["details"]["text"]


def test_the_deepest_allowed_level_is_accepted() -> None:
    # In this order each round of the fast count removes two levels, down to the last.
    levels = MAX_DEPTH // 2
    deepest = b'{"a":[' * levels + b"]}" * levels

    assert not too_deep(deepest)
    assert too_deep(b"[" + deepest + b"]")


def test_a_member_sent_twice_in_different_shapes_is_refused(client: FlaskClient) -> None:
    last = json.dumps(body()).encode()[:-1] + b',"context":7}'
    first = b'{"context":7,' + json.dumps(body()).encode()[1:]

    for content in (last, first):
        response = post(client, VIEW, content)
        assert response.status_code == 400
        assert issue(response)["details"]["text"]


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


@given(
    st.recursive(
        st.text('[]{}"\\ab', max_size=4) | st.integers(),
        lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text("[{", max_size=2), part),
        max_leaves=20,
    ),
    st.integers(0, 70),
)
def test_depth_is_counted_as_a_parser_counts_it(value: Any, more: int) -> None:
    for _ in range(more):
        value = [value]

    text = json.dumps(value)
    if too_deep(text.encode()) is not (_depth(value) > MAX_DEPTH):
        strings = re.findall('"[^"]*"', text.replace(r"\\", "").replace(r"\"", ""))
        assert _depth(value) > MAX_DEPTH
        assert any("]" in string or "}" in string for string in strings)
        assert any("[" in string or "{" in string for string in strings)


@pytest.mark.parametrize(
    ("levels", "opened", "closed", "status"),
    [
        (62, b'["]",', b"]", 200),
        (65, b'["]",', b"]", 400),
        (65, b'{"}":', b"}", 400),
        (65, b'["]",', b',"[["]', 400),
        (65, b'["a\\"]",', b"]", 400),
        (100_000, b'["]",', b"]", 400),
        (500, b'["]",', b',"["]', 200),  # hidden, and harmless
        (100_000, b'["]",', b',"["]', 400),
    ],
)
def test_levels_that_strings_hide(
    client: FlaskClient, levels: int, opened: bytes, closed: bytes, status: int
) -> None:
    nested = opened * levels + b"1" + closed * levels
    content = json.dumps(body(extension="@")).encode().replace(b'"@"', nested)

    assert post(client, VIEW, content).status_code == status


# --- the fast types against the schemas ---------------------------------------------------

_VALUES = (
    None, "", " ", "x", "p1\n", "..", "Patient/p1", "Practitioner/7", 0, 1, 300.0, 1e400, -0.0,
    True,
    [], [1], ["A/1"], [None], {}, {"a": 1}, {"resourceType": "Bundle", "entry": []}, "bearer\n",
    "\ud800", {"resourceType": "Bundle", "entry": [{}]}, {"resourceType": "OperationOutcome"},
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list) and len(path) < 4:
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from _places(value[key], (*path, key))


def _mutated(call: dict[str, Any], chance: random.Random) -> Any:
    mutant = copy.deepcopy(call)
    for _ in range(chance.choice((1, 1, 2))):
        *path, last = chance.choice([place for place in _places(mutant) if place])
        holder = mutant
        for step in path:
            holder = holder[step]
        if chance.random() < 0.3:
            del holder[last]
        elif isinstance(holder, dict) and chance.random() < 0.1:
            holder["more"] = chance.choice(_VALUES)
        else:
            holder[last] = copy.deepcopy(chance.choice(_VALUES))
    return mutant


_Read = Callable[[bytes, Service, datetime, Origin], Envelope]


def _read(read: _Read, text: bytes, hook: Hook) -> object:
    service = Service("any-service", hook, "", "", ())
    try:
        envelope = read(text, service, datetime(2026, 3, 10, tzinfo=UTC), ANYBODY)
    except BadRequest as error:
        return error.what, error.fix, error.where
    sent = {name: bytes(raw) for name, raw in envelope.prefetch.items()}
    assert {name: bytes(envelope.prefetch.get(name) or b"") for name in sent} == sent
    if envelope.results is not None:
        assert envelope.results.entry == read_page(sent["results"]).entry
    return replace(envelope, prefetch={}, results=None), sent


def test_the_fast_types_accept_nothing_that_the_schemas_refuse() -> None:
    chance = random.Random(17)
    signed = order_body(QUININE) | {"hook": "order-sign"}
    secured = {"fhirServer": "https://f.example", "fhirAuthorization": AUTHORIZATION}
    calls = [
        (HOOKS[call["hook"]], call)
        for unsecured in (
            body(),
            body(prefetch={"results": searchset(potassium("3.1"))}),
            order_body(QUININE),
            signed,
        )
        for call in (unsecured, unsecured | secured)
    ]
    accepted = 0
    for _ in range(MUTATIONS):
        hook, call = chance.choice(calls)
        text = json.dumps(_mutated(call, chance)).encode()
        expected = _read(_by_schemas, text, hook)

        assert _read(read_envelope, text, hook) == expected
        accepted += isinstance(expected, tuple) and isinstance(expected[0], Envelope)
    assert MUTATIONS / 6 < accepted < MUTATIONS * 5 / 6


_FIRST_CALLS = """
import contextlib, os, sys, threading
from datetime import UTC, datetime
from cds_service.calls.envelope import read_envelope
from cds_service.engine.hook import HOOKS
from cds_service.engine.topic import Service
from cds_service.errors import BadRequest

sys.setswitchinterval(1e-6)
call = '{"hook":"%s","hookInstance":"x","context":{"userId":"Practitioner/1","patientId":"p1",'
call += '"selections":["a/b"],"draftOrders":{"resourceType":"Bundle"}},"prefetch":{"patient":{}}}'
calls = [((call % hook.name).encode(), hook) for hook in HOOKS.values()] * 3

def worker():
    ready = threading.Barrier(len(calls))

    def first(body, hook):
        service = Service("any-service", hook, "", "", ())
        ready.wait()
        with contextlib.suppress(BadRequest):  # another hook may want another context
            read_envelope(body, service, datetime.now(UTC))

    threads = [threading.Thread(target=first, args=each) for each in calls]
    for act in (threading.Thread.start, threading.Thread.join):
        list(map(act, threads))

for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        worker()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status:
        sys.exit(f"a worker ended with {status}")
"""


def test_simultaneous_first_calls_crash_no_worker():
    """One in nine crashed on a decoder type that another thread had not completed yet."""
    program = subprocess.run(
        [sys.executable, "-c", _FIRST_CALLS, str(150 if ALL else 30)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (program.returncode, program.stderr) == (0, "")


def test_a_hook_may_have_a_context_without_user_and_encounter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded = shapes.schema
    context = {"type": "object", "required": ["patientId", "performer"]}
    texts = {"patientId": {"type": "string"}, "performer": {"type": "string"}}
    monkeypatch.setattr(
        shapes,
        "schema",
        lambda name: context | {"properties": texts} if name == "dispatch" else loaded(name),
    )
    hook = Hook("order-dispatch", "dispatch", "orders are dispatched")
    sent = {"patientId": "p1", "performer": "Organization/1"}
    text = json.dumps(body(hook=hook.name, context=sent)).encode()
    for read in (read_envelope, _by_schemas):
        call = read(text, Service("dispatch", hook, "", "", ()), NOW, ANYBODY).call
        assert (call.patient_id, call.user, call.encounter_id) == ("p1", None, None)
    without = json.dumps(body(hook=hook.name, context={"patientId": "p1"})).encode()
    with pytest.raises(BadRequest, match="performer is missing") as refused:
        read_envelope(without, Service("dispatch", hook, "", "", ()), NOW)
    assert refused.value.where == "context.performer"
