"""Reads the body of a request into the call and what was sent with it, but not its data.

The body is decoded in one pass, by types made from the JSON Schemas, which also peeks at the
results. These types are stricter than the schemas, never laxer: whatever they refuse is checked
with the schemas. Other values of prefetch keys, and the draft orders, stay undecoded
(`msgspec.Raw`), so that their size costs a scan and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any, NoReturn

import msgspec
from msgspec import UNSET, Raw, UnsetType

from cds_service.calls import shapes
from cds_service.calls.strict_json import checked_text, decoded, parse
from cds_service.core.call import Call
from cds_service.core.confidential import Confidential
from cds_service.core.identity import ANYBODY, Origin
from cds_service.engine.topic import Service
from cds_service.errors import BadRequest
from cds_service.fhir.values.peeks import ResultPage, Slot


class Authorization(Confidential, frozen=True):
    """``fhirAuthorization``: what the service may request from the client's FHIR server.

    It cannot be pickled, so that the token is never sent to another process or stored.
    """

    printed = ("scope",)

    token: str
    """Bearer token."""
    scope: str
    patient: str | None = None
    """The only patient that the token is for."""

    def __reduce__(self) -> NoReturn:
        raise TypeError("an access token is never pickled")


class Envelope(Confidential, frozen=True):
    """A checked call, and what was sent with it: needed to obtain the data, and not afterwards.

    Only ``hook_instance`` is also recorded. The token is not part of the call, so that neither
    rules nor cards, traces or the audit trail are ever given it. The values of ``prefetch`` are
    undecoded JSON.
    """

    printed = ("call", "hook_instance", "authorization")

    call: Call
    hook_instance: str
    authorization: Authorization | None = None
    prefetch: Mapping[str, Raw] | LazyPrefetch = msgspec.field(default_factory=dict)
    results: ResultPage | None = None
    """The value of `RESULTS` in ``prefetch``, where it was decoded with the body."""


RESULTS = "results"
"""The prefetch key of results."""


class _Page(ResultPage, frozen=True):
    entry: list[Slot] | UnsetType = UNSET  # type: ignore[assignment]  # without entries it is read with more care


class _Prefetch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    results: _Page | UnsetType | None = UNSET
    patient: Raw | UnsetType = UNSET
    conditions: Raw | UnsetType = UNSET
    medicationRequests: Raw | UnsetType = UNSET  # noqa: N815  # names of prefetch keys
    medicationStatements: Raw | UnsetType = UNSET  # noqa: N815
    allergies: Raw | UnsetType = UNSET
    orders: Raw | UnsetType = UNSET
    encounter: Raw | UnsetType = UNSET


class LazyPrefetch:
    """The prefetch of a call that has only keys of this service. What was not decoded with the
    body is decoded on demand.
    """

    def __init__(self, known: _Prefetch, body: bytes) -> None:
        self._known = known
        self._body = body
        self._all: Mapping[str, Raw] | None = None

    def get(self, name: str) -> Raw | None:
        """The undecoded value of one key; None where it was not sent."""
        value = getattr(self._known, name, None)
        if isinstance(value, Raw):
            return value
        if value is UNSET:
            return None
        return self._everything().get(name)

    def items(self) -> Iterable[tuple[str, Raw]]:
        """Every key that was sent, with its undecoded value."""
        return self._everything().items()

    def _everything(self) -> Mapping[str, Raw]:
        if self._all is None:
            self._all = _read_prefetch(self._body).prefetch or {}
        return self._all


class _Whole(msgspec.Struct, frozen=True):
    prefetch: dict[str, Raw] | None = None


class _Body(msgspec.Struct, frozen=True):
    """The fields that are used; everything else is skipped."""

    hook: Any = UNSET
    hookInstance: Any = UNSET  # noqa: N815  # the protocol's names
    fhirServer: Any = UNSET  # noqa: N815
    fhirAuthorization: Any = UNSET  # noqa: N815
    context: dict[str, Raw] | UnsetType = UNSET
    prefetch: dict[str, Raw] | UnsetType | None = UNSET


_read_body = msgspec.json.Decoder(_Body).decode
_read_prefetch = msgspec.json.Decoder(_Whole).decode
# msgspec fills in what it knows of a type while other threads may use it already: one that several
# decoders share must be complete before there are threads, or a worker may die of a segmentation
# fault.
msgspec.json.Decoder(_Prefetch)


def read_envelope(
    body: bytes, service: Service, as_of: datetime, origin: Origin = ANYBODY
) -> Envelope:
    """The call to ``service`` in the ``body`` (UTF-8 JSON) of a request of ``origin`` at ``as_of``.

    Raises BadRequest naming the place and what to do.
    """
    hook = service.hook
    text = checked_text(body)
    try:
        read, text = decoded(_typed(hook.schema), text)
    except msgspec.ValidationError:
        return _by_schemas(text, service, as_of, origin)
    context, authorization = read.context, read.fhirAuthorization or None
    drafts = bytes(context.draftOrders) if hook.drafts else None
    if (
        (authorization and not read.fhirServer)
        or read.hook != hook.name
        or (drafts is not None and drafts[:1] != b"{")
    ):
        return _by_schemas(text, service, as_of, origin)
    prefetch = read.prefetch or _Prefetch()
    page = prefetch.results or None
    return Envelope(
        call=Call(
            service=service.id,
            patient_id=context.patientId,
            as_of=as_of,
            # Not every hook has these.
            user=getattr(context, "userId", None) or None,
            encounter_id=getattr(context, "encounterId", None) or None,
            selections=tuple(context.selections) if hook.selects else None,
            draft_orders=drafts,
            origin=origin,
            fhir_server=read.fhirServer or None,
        ),
        hook_instance=read.hookInstance,
        authorization=None
        if authorization is None
        else Authorization(
            authorization.access_token, authorization.scope, authorization.patient or None
        ),
        prefetch=LazyPrefetch(prefetch, text),
        results=page if page is not None and page.entry is not UNSET else None,
    )


@cache
def _typed(context: str) -> Callable[[bytes], Any]:
    """A decoder for bodies whose context has this shape; it may raise ValidationError."""
    types = {
        "context": shapes.struct(context, {"draftOrders": Raw}),
        "prefetch": _Prefetch | None,
    }
    return msgspec.json.Decoder(shapes.struct("request", types)).decode


def _by_schemas(text: bytes, service: Service, as_of: datetime, origin: Origin) -> Envelope:
    """The call checked with the schemas, which say what is wrong and where."""
    hook = service.hook
    try:
        read, text = decoded(_read_body, text)
    except msgspec.ValidationError:
        # The shape may be wrong: only the schema decides, and it says where.
        shapes.check("request", parse(text))
        raise BadRequest("The body is not a call of a CDS service.", "Send an object.") from None
    members = {
        name: value
        for name in ("hook", "hookInstance", "fhirServer", "fhirAuthorization")
        if (value := getattr(read, name)) is not UNSET
    }
    if read.context is not UNSET:
        members["context"] = {}
    shapes.check("request", members)
    assert read.context is not UNSET  # the schema requires it
    if read.hook != hook.name:
        raise BadRequest("This service does not answer that hook.", f"Send {hook}.", "hook")
    raw_drafts = read.context.get("draftOrders")
    known = shapes.schema(hook.schema)["properties"]
    context = {
        name: _drafts_shape(raw) if name == "draftOrders" else parse(raw)
        for name, raw in read.context.items()
        if name in known
    }
    shapes.check(hook.schema, context, "context")
    authorization = members.get("fhirAuthorization")
    return Envelope(
        call=Call(
            service=service.id,
            patient_id=context["patientId"],
            as_of=as_of,
            user=context.get("userId"),
            encounter_id=context.get("encounterId"),
            selections=tuple(context["selections"]) if hook.selects else None,
            draft_orders=bytes(raw_drafts) if raw_drafts and hook.drafts else None,
            origin=origin,
            fhir_server=members.get("fhirServer"),
        ),
        hook_instance=read.hookInstance,
        authorization=None
        if authorization is None
        else Authorization(
            authorization["access_token"], authorization["scope"], authorization.get("patient")
        ),
        prefetch=read.prefetch or {},
    )


def _drafts_shape(raw: Raw) -> Any:
    """What the schema checks instead of the draft orders: {} for any object, else the value."""
    return {} if bytes(raw)[:1] == b"{" else parse(raw)
