"""The page's question as the hook request that an EHR would send."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec

from cds_service.api.asking import content_of, services_of
from cds_service.calls.strict_json import checked_text, parse
from cds_service.core.facts import Kind
from cds_service.core.text import shortened
from cds_service.demo.fixtures import FixturePatient
from cds_service.engine.hook import HOOKS, ORDER_SELECT
from cds_service.engine.topic import Option, Service
from cds_service.errors import BadRequest
from cds_service.fhir.values.elements import text
from cds_service.fhir.values.versions import type_of
from cds_service.sources.one_patient import moment, request_of
from cds_service.sources.prefetch import PrefetchKey

USER = "Practitioner/demo"


class DemoRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The body of ``POST /demo/answer``.

    ``patient`` names a fixture; without it, ``pasted`` is the text of a hook request or Bundle.
    Where ``drafts`` is None, the drafts of the patient or the record are used. ``states`` are the
    prefetch keys whose value is replaced or left out. ``topic`` is the key of the topic that
    answers; without it, the topic of the patient answers, or else the first.
    """

    patient: str | None = None
    pasted: str | None = None
    hook: str | None = None
    topic: str = ""
    drafts: list[dict[str, Any]] | None = None
    selections: list[str] = []
    states: dict[str, Literal["null", "absent"]] = {}
    silent: bool = False
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class Switch:
    """One prefetch key on the page: its original state, and the state in which it is sent.

    ``original`` and ``state`` are ``given``, ``null`` or ``absent``; ``count`` is the original
    number of resources.
    """

    key: PrefetchKey
    original: str
    state: str
    count: int


@dataclass(frozen=True, slots=True)
class Question:
    """The hook request, and the moment ``as_of`` (with a time zone) for which it is answered."""

    service: Service
    request: dict[str, Any] = field(repr=False)
    as_of: datetime
    switches: tuple[Switch, ...]
    drafts: list[Any] = field(repr=False)
    selections: list[str]


def read_demo_request(
    body: bytes, options: Mapping[str, Option]
) -> tuple[DemoRequest, dict[str, str]]:
    """The request in a body (JSON), and what it chooses for the options of the topics.

    Raises BadRequest where it cannot be read.
    """
    text = checked_text(body)
    try:
        content = msgspec.json.decode(text, type=dict[str, Any])
        chosen = {name: content.pop(name, None) for name in options}
        chosen_options = {name: value for name, value in chosen.items() if value is not None}
        demo_request = msgspec.convert(content, DemoRequest)
    except msgspec.ValidationError:
        raise _unknown() from None
    except msgspec.DecodeError:
        raise BadRequest("The body is not valid JSON.", "Send one JSON object.") from None
    if demo_request.hook is not None and demo_request.hook not in HOOKS:
        raise _unknown()
    if not all(value in options[name].values for name, value in chosen_options.items()):
        raise _unknown()
    return demo_request, chosen_options


def _unknown() -> BadRequest:
    return BadRequest("The page sent an unknown request.", "Reload the page.")


def question_of(
    demo_request: DemoRequest,
    patients: Mapping[str, FixturePatient],
    services: Iterable[Service],
    keys: Mapping[str, Sequence[PrefetchKey]],
    now: datetime,
) -> Question:
    """The hook request for ``demo_request``. Raises BadRequest naming the place and what to do."""
    _check(demo_request, {key.name for of_service in keys.values() for key in of_service})
    content, as_of = _content(demo_request, patients, now)
    bundle = content.get("resourceType") == "Bundle"
    own_drafts, selected = _drafts_in(content, bundle)
    hook = demo_request.hook or _hook_of(demo_request, patients, bundle and bool(own_drafts))
    service = services_of(content, hook, services)[0]
    if bundle:
        request = request_of(content, service.hook, keys[service.id], USER)
        request["hookInstance"] = str(uuid.uuid4())
    else:
        request = {**content, "hook": service.hook.name}
    if demo_request.as_of is not None:
        as_of = _moment(demo_request.as_of)
    context = request.get("context")
    drafts = own_drafts if demo_request.drafts is None else demo_request.drafts
    selections = selected if demo_request.drafts is None else demo_request.selections
    if isinstance(context, dict):
        context = dict(context)
        request["context"] = context
        if demo_request.drafts is not None:
            drafts = [_owned(draft, context, as_of) for draft in drafts]
        _, products = _drafts_of(context.pop("draftOrders", None))
        context.pop("selections", None)
        if service.hook.drafts:
            context["draftOrders"] = _collection(drafts, products)
        if service.hook.selects:
            context["selections"] = selections
    return Question(
        service=service,
        request=request,
        as_of=as_of,
        switches=_apply_states(request, keys[service.id], demo_request.states),
        drafts=drafts,
        selections=selections,
    )


def _check(demo_request: DemoRequest, prefetch_keys: Collection[str]) -> None:
    """Raise BadRequest for what would have no effect. A key of another service may stay chosen."""
    if demo_request.patient is not None and demo_request.pasted is not None:
        raise BadRequest(
            "There is a patient and a pasted record.", "Send one of the two.", "pasted"
        )
    if demo_request.selections and demo_request.drafts is None:
        raise BadRequest(
            "Selections are given without drafts.", "Send the drafts, too.", "selections"
        )
    for name in demo_request.states:
        if name not in prefetch_keys:
            raise BadRequest(
                f"{shortened(name, 40)} is not a prefetch key of a service.",
                f"The keys are {', '.join(sorted(prefetch_keys))}.",
                "states",
            )


def _content(
    demo_request: DemoRequest, patients: Mapping[str, FixturePatient], now: datetime
) -> tuple[dict[str, Any], datetime]:
    if demo_request.patient is not None:
        patient = patients.get(demo_request.patient)
        if patient is None:
            raise BadRequest("There is no patient with that name.", "Choose one from the list.")
        content: dict[str, Any] = parse(checked_text(patient.bundle()))
        return content, moment(patient.as_of)
    return content_of(checked_text((demo_request.pasted or "").encode(errors="replace"))), now


def _hook_of(
    demo_request: DemoRequest, patients: Mapping[str, FixturePatient], drafted: bool
) -> str | None:
    """The hook where none was chosen: that of the patient's story, or that for drafts if there are
    any; None for that of the request."""
    if demo_request.patient is not None:
        return patients[demo_request.patient].hook
    return ORDER_SELECT.name if drafted else None


def _moment(text: str) -> datetime:
    try:
        return moment(text)
    except BadRequest as error:
        raise BadRequest(error.what, error.fix, "as of") from None


def _drafts_in(content: Mapping[str, Any], bundle: bool) -> tuple[list[Any], list[str]]:
    """The original drafts, and which of them are selected."""
    context = request_of(content, ORDER_SELECT, ())["context"] if bundle else content.get("context")
    if not isinstance(context, dict):
        return [], []
    drafts, _ = _drafts_of(context.get("draftOrders"))
    selections = context.get("selections")
    return drafts, selections if isinstance(selections, list) else []


def _drafts_of(bundle: object) -> tuple[list[Any], list[Any]]:
    """The drafts of a Bundle, and the entries with Medications to which they may refer."""
    drafts, products = [], []
    for entry in _entries(bundle):
        if type_of(text(entry["resource"].get("resourceType"))) == "Medication":
            products.append(entry)
        else:
            drafts.append(entry["resource"])
    return drafts, products


def _entries(bundle: object) -> list[dict[str, Any]]:
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    return [
        entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("resource"), dict)
    ]


def _owned(draft: dict[str, Any], context: Mapping[str, Any], as_of: datetime) -> dict[str, Any]:
    """A draft made on the page, with this patient and day."""
    if "subject" in draft or "patient" in draft:
        return draft
    subject = {"reference": f"Patient/{context.get('patientId')}"}
    return {**draft, "subject": subject, "authoredOn": as_of.date().isoformat()}


def _collection(drafts: Sequence[Any], products: Sequence[Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [*({"resource": draft} for draft in drafts), *products],
    }


def _apply_states(
    request: dict[str, Any], keys: Sequence[PrefetchKey], states: Mapping[str, str]
) -> tuple[Switch, ...]:
    """The original state of each key; changes ``request`` to what was chosen on the page."""
    prefetch = request.get("prefetch")
    prefetch = dict(prefetch) if isinstance(prefetch, dict) else {}
    context = request.get("context")
    encounter = isinstance(context, dict) and context.get("encounterId")
    switches = []
    for key in keys:
        if key.kind is Kind.ENCOUNTER and not encounter and key.name not in prefetch:
            continue
        original = "absent" if key.name not in prefetch else "given"
        if original == "given" and prefetch[key.name] is None:
            original = "null"
        state = states.get(key.name, original)
        count = _count(prefetch.get(key.name))
        if state == "absent":
            prefetch.pop(key.name, None)
        elif state == "null":
            prefetch[key.name] = None
        switches.append(Switch(key, original, state, count))
    if prefetch or "prefetch" in request:
        request["prefetch"] = prefetch
    return tuple(switches)


def _count(value: object) -> int:
    if isinstance(value, dict) and value.get("resourceType") == "Bundle":
        return len(_entries(value))
    return 1 if isinstance(value, dict) else 0
