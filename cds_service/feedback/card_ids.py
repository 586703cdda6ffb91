"""Card ids that say which rule spoke and whether it is the same card again, and nothing more.

A card id is a UUID of version 8 (RFC 9562 section 5.8: 122 bits of the maker's choice)::

    custom_a  48 bits   rule tag 32: SHA-256 of the rule id
                        version tag 16: SHA-256 of the rule's version
    ver        4 bits   8
    custom_b  12 bits   digest, the upper 12 of 52
    var        2 bits   10
    custom_c  62 bits   digest, the lower 40 of 52
                        random 22

The digest is HMAC-SHA256 over (rule id, version, patient, evidence) under a secret key, cut
to 52 bits. Without the key it cannot be told apart from chance, so neither a stored id nor a
leaked database says who a patient is; with it, the same card for the same patient can be
recognised. Two rules give one patient unrelated digests. A new version of a rule gives a
new digest: changed advice is a new card. The random bits make two showings two ids.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

DIGEST_BITS = 52
RANDOM_BITS = 22
KEY_BYTES = 32


class RuleVersion(NamedTuple):
    """A rule at one version: what answers are counted by."""

    rule: str
    version: str


class CardId(NamedTuple):
    """The parts of one of our card ids (all unsigned integers; see the module's layout)."""

    rule_tag: int
    version_tag: int
    digest: int
    random: int


@lru_cache(maxsize=1024)
def rule_tag(rule: str) -> int:
    """32 bits that stand for a rule id in a card id."""
    return int.from_bytes(hashlib.sha256(f"rule {rule}".encode()).digest()[:4])


@lru_cache(maxsize=1024)
def version_tag(version: str) -> int:
    """16 bits that stand for a rule's version in a card id."""
    return int.from_bytes(hashlib.sha256(f"version {version}".encode()).digest()[:2])


def canonical(card: str) -> str:
    """The id in lower case with hyphens if it is a UUID in any usual form, else unchanged."""
    try:
        return str(uuid.UUID(card))
    except ValueError:
        return card


def read_card_id(card: str) -> CardId | None:
    """The parts of ``card``, or None when it is no UUID of version 8."""
    try:
        read = uuid.UUID(card)
    except ValueError:
        return None
    if read.variant != uuid.RFC_4122 or read.version != 8:
        return None
    bits = read.int
    low = bits & ((1 << 62) - 1)
    return CardId(
        rule_tag=bits >> 96,
        version_tag=(bits >> 80) & 0xFFFF,
        digest=((bits >> 64) & 0xFFF) << 40 | low >> RANDOM_BITS,
        random=low & ((1 << RANDOM_BITS) - 1),
    )


class CardIds:
    """Makes and recognises card ids under one secret ``key`` (bytes, 16 or more).

    ``random_bits(n)`` gives n random bits as an integer; tests may pass their own.
    The key may be replaced while the service runs (``use``): see ``records.Records``.
    """

    def __init__(self, key: bytes, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self._random_bits = random_bits
        self.use(key)

    def use(self, key: bytes) -> None:
        """Make and recognise ids under ``key`` from now on."""
        self._keyed = hmac.new(key, digestmod="sha256")  # to be copied: the key is set up once

    def new(self, rule: str, version: str, patient: str, evidence: str | Iterable[str]) -> str:
        """The id of a card about to be shown.

        ``patient`` must be unique among all callers: join the FHIR server or the issuer to
        the patient's id where several sites share one service. ``evidence`` is what the
        card rests on (codes, values, dates); the order of several pieces does not matter.
        """
        digest = self._digest(rule, version, patient, evidence)
        bits = (
            rule_tag(rule) << 96
            | version_tag(version) << 80
            | 8 << 76
            | (digest >> 40) << 64
            | 0b10 << 62
            | (digest & ((1 << 40) - 1)) << RANDOM_BITS
            | self._random_bits(RANDOM_BITS)
        )
        digits = f"{bits:032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def rule_of(self, card: str, rules: Iterable[RuleVersion]) -> RuleVersion | None:
        """Which of ``rules`` made ``card``; None when none of them did."""
        read = read_card_id(card)
        if read is None:
            return None
        for known in rules:
            if (rule_tag(known.rule), version_tag(known.version)) == read[:2]:
                return known
        return None

    def digest_of(self, card: str) -> int | None:
        """The keyed digest in ``card``; None when it is no UUID of version 8."""
        read = read_card_id(card)
        return None if read is None else read.digest

    def matches(
        self, card: str, rule: str, version: str, patient: str, evidence: str | Iterable[str]
    ) -> bool:
        """Whether ``card`` was made by this rule for this patient on this evidence."""
        read = read_card_id(card)
        return (
            read is not None
            and read.rule_tag == rule_tag(rule)
            and read.version_tag == version_tag(version)
            and read.digest == self._digest(rule, version, patient, evidence)
        )

    def _digest(self, rule: str, version: str, patient: str, evidence: str | Iterable[str]) -> int:
        pieces = (evidence,) if isinstance(evidence, str) else sorted(set(evidence))
        whole = bytearray()
        for part in (rule, version, patient, *pieces):
            raw = part.encode("utf-8", "surrogatepass")
            # The length before each part keeps ("ab", "c") and ("a", "bc") apart.
            whole += len(raw).to_bytes(8)
            whole += raw
        keyed = self._keyed.copy()
        keyed.update(whole)
        return int.from_bytes(keyed.digest()[:8]) >> (64 - DIGEST_BITS)
