"""Which patient a resource belongs to: only the call's own patient's data may become facts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from cds_service.fhir.values.elements import items, part, readable, reference, text

_URN = "urn:uuid:"
_UNREADABLE = "its subject cannot be read"
_OTHER_FOCUS = "it is about somebody or something other than the patient (focus)"
# Types of the patient's resources that a result may be about and still be the patient's own.
_OWN_FOCUS = frozenset(
    {"Condition", "Encounter", "EpisodeOfCare", "Observation", "Procedure", "ServiceRequest"}
    | {"MedicationRequest", "MedicationStatement", "MedicationAdministration", "CarePlan"}
)
_HISTORY = re.compile(r"/_history/[^/]*$")


class Subjects:
    """Recognises references to the one patient of the call.

    These are ``Patient/{id}``, an absolute address that ends with it, a version of either, the
    bare urn of the same id, and urns that a Bundle gives to this patient's own resource. Having
    no reference (nothing, or only an identifier or a name) counts as this patient, because the
    data were requested by patient. A contained subject cannot be verified.

    ``server`` is the base URL of the call's FHIR server, if it names one: the same id at
    another address is another patient. Without it, the client's own address is not known, and an
    absolute address is judged by its id alone.
    """

    def __init__(
        self, patient_id: str, urls: Iterable[str] = (), server: str | None = None
    ) -> None:
        self.patient_id = patient_id
        self._server = None if server is None else _place(server)
        self._own_reference = f"Patient/{patient_id}"
        self._known: dict[str, bool] = {self._own_reference: True, _URN + patient_id: True}
        self._known.update((url, True) for url in urls if url)
        self._refusals: dict[bytes, str] = {}

    def is_patient(self, target: str) -> bool:
        """Whether a literal reference points at the patient of the call."""
        answer = self._known.get(target)
        if answer is None:
            plain = _HISTORY.sub("", target.strip())
            answer = plain in (self._own_reference, self.patient_id, _URN + self.patient_id) or (
                plain.startswith(("http://", "https://"))
                and plain.endswith("/" + self._own_reference)
                and self._at_own_server(plain.removesuffix("/" + self._own_reference))
            )
            if len(self._known) < 1000:
                self._known[target] = answer
        return answer

    def _at_own_server(self, base: str) -> bool:
        return self._server is None or _place(base) == self._server

    def refusal(self, resource: object) -> str:
        """Why a resource does not belong to this patient; empty where it does."""
        for name in ("subject", "patient"):
            stated = part(resource, name)
            if stated is None:
                continue
            target = reference(stated)
            if target and not self.is_patient(target):
                return refusal_of(target)
            nameless = isinstance(stated, dict) and stated.get("reference") is None
            if not target and not nameless:
                return _UNREADABLE
        return ""

    def refusal_for(self, focus: object) -> str:
        """Why a result with this focus is not the patient's own; empty where it is.

        A focus is what the result is about if that is not the subject: a fetus, a donor,
        a device. It may also be a disease or a treatment of the patient.
        """
        for pointer in items(focus):
            target = reference(pointer)
            kind = text(part(pointer, "type")) or target.rpartition("/")[0].rpartition("/")[2]
            if not self.is_patient(target) and kind not in _OWN_FOCUS:
                return _OTHER_FOCUS
        return ""

    def refusal_by(self, subject: bytes) -> str:
        """Why a resource with this undecoded subject is not this patient's; empty where it is.

        Usually all resources of a call have the same subject, so it is read once.
        """
        known = self._refusals.get(subject)
        if known is None:
            value = readable(subject)
            odd = value is None and subject != b"null"
            known = self._refusals[subject] = (
                _UNREADABLE if odd else self.refusal({"subject": value})
            )
        return known


def refusal_of(target: str) -> str:
    """How a reference to another patient is reported; never quotes the reference itself."""
    if target.startswith("#") or target.startswith(_URN):
        return "it belongs to a patient who cannot be identified"
    if "://" in target:
        return "it belongs to another patient, or to a patient of another server"
    return "it belongs to another patient"


def _place(base: str) -> tuple[str, int | None, str] | str:
    """The host, port and path of a base URL, which identify a server.

    The scheme is left out: servers behind a proxy write http where clients call https.
    """
    try:
        parts = urlsplit(base)
        port = None if parts.port in (80, 443) else parts.port
    except ValueError:
        return base
    return (parts.hostname or "").rstrip("."), port, parts.path.rstrip("/")
