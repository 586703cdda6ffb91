"""What a card can offer: tests, referrals and drug proposals, by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cds_service.terminology.codes import Coding


@dataclass(frozen=True, slots=True)
class Orderable:
    """One thing that a card can offer to order.

    ``covers`` are the analytes, kinds of order or medication classes that it answers, so that
    nothing already ordered is offered again. ``dosage`` is text for the clinician, never a
    structured dose that could be signed unread. Without ``codes`` it is ordered in words.
    """

    key: str
    label: str
    covers: frozenset[str]
    codes: tuple[Coding, ...]
    medication: bool = False
    dosage: str = ""


Orderables = Mapping[str, Orderable]


def with_site_codes(
    orderables: Orderables, site: Mapping[str, Iterable[Coding]]
) -> dict[str, Orderable]:
    """The orderables, with a site's own codings first where it has any.

    Raises KeyError for a key that is not in ``orderables``.
    """
    merged = dict(orderables)
    for key, codes in site.items():
        orderable = merged[key]
        merged[key] = Orderable(
            orderable.key,
            orderable.label,
            orderable.covers,
            (*codes, *orderable.codes),
            orderable.medication,
            orderable.dosage,
        )
    return merged
