"""Whose a resource is: only what belongs to the patient of the call may become a fact."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cds_service.fhir.elements import part, reference, text

_URN = "urn:uuid:"
_HISTORY = re.compile(r"/_history/[^/]*$")


class Subjects:
    """Recognises references to the one patient of the call.

    ``Patient/{id}``, an absolute address that ends so, a version of either, the bare urn
    of the same id, and urns that a Bundle gives to this patient's own resource. No
    reference at all (nothing, or only an identifier or a name) counts as this patient:
    the data were asked for by patient. A contained subject is somebody nobody can verify.
    """

    def __init__(self, patient_id: str, urls: Iterable[str] = ()) -> None:
        self.patient_id = patient_id
        self._mine = f"Patient/{patient_id}"
        self._known: dict[str, bool] = {self._mine: True, _URN + patient_id: True}
        self._known.update((url, True) for url in urls if url)

    def is_mine(self, target: str) -> bool:
        """Whether a literal reference means the patient of the call."""
        answer = self._known.get(target)
        if answer is None:
            plain = _HISTORY.sub("", target.strip())
            absolute = plain.startswith(("http://", "https://"))
            answer = (
                plain in (self._mine, self.patient_id, _URN + self.patient_id)
                or (absolute and plain.endswith("/" + self._mine))
                or (absolute and self._known.get(plain, False))
            )
            if len(self._known) < 1000:
                self._known[target] = answer
        return answer

    def refusal(self, resource: object) -> str:
        """Why a resource is not this patient's; empty where it is."""
        for name in ("subject", "patient"):
            stated = part(resource, name)
            if stated is None:
                continue
            target = reference(stated)
            if target and not self.is_mine(target):
                return refusal_of(target)
            unreadable = not isinstance(stated, dict | str) or (
                isinstance(stated, dict)
                and stated.get("reference") is not None
                and not text(stated.get("reference"))
            )
            if unreadable:
                return "whose it is cannot be read"
        return ""


def refusal_of(target: str) -> str:
    """The words for a reference to somebody else; never the reference itself."""
    if target.startswith("#") or target.startswith(_URN):
        return "it belongs to a patient who cannot be identified"
    return "it belongs to another patient"
