"""Card ids, which tell the rule of a card and whether this service made it, and nothing more.

A card id is a UUID of version 8 (RFC 9562 section 5.8: 122 bits for any use)::

    custom_a  48 bits   rule tag 24: SHA-256 of the rule id
                        version tag 12: SHA-256 of the rule's version
                        digest, the upper 12 of 44
    ver        4 bits   8
    custom_b  12 bits   digest, the next 12
    var        2 bits   10
    custom_c  62 bits   digest, the lower 20
                        random 10
                        seal 32

The digest is HMAC-SHA256 over (rule id, version, identity, evidence) under a secret key, cut to
44 bits. Without the key it looks random, so that neither a stored id nor a leaked database says
who a patient is; with it, the same card for the same patient can be recognised. Two rules give
unrelated digests for one patient. A new version of a rule gives a new digest: changed advice is a
new card. The random bits give a card a new id each time it is shown.

The seal is HMAC-SHA256 under the same key over the caller and all other bits, cut to 32 bits: an
id that was made up, or that was given to another issuer, tenant or site, is not valid. Guessing
one takes 2^31 tries on average, and changes no report but that of the guesser's own site.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from cds_service.core.identity import Identity, Origin

RULE_BITS = 24
VERSION_BITS = 12
DIGEST_BITS = 44
RANDOM_BITS = 10
SEAL_BITS = 32
KEY_BYTES = 32


class RuleVersion(NamedTuple):
    """A rule at one version: feedback is counted by these."""

    id: str
    version: str


class CardId(NamedTuple):
    """The parts of a card id (all unsigned integers; see the layout in the module's docstring)."""

    rule_tag: int
    version_tag: int
    digest: int
    random: int
    seal: int

    @property
    def tags(self) -> tuple[int, int]:
        """The tags of the rule and its version."""
        return self.rule_tag, self.version_tag


@lru_cache(maxsize=1024)
def rule_tag(rule: str) -> int:
    """24 bits that stand for a rule id in a card id."""
    return _tag(f"rule {rule}", RULE_BITS)


@lru_cache(maxsize=1024)
def version_tag(version: str) -> int:
    """12 bits that stand for a rule's version in a card id."""
    return _tag(f"version {version}", VERSION_BITS)


def _tag(text: str, bits: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) >> (32 - bits)


def canonical(card: str) -> str:
    """The id in lower case with hyphens where it is a UUID in any usual form, else unchanged."""
    try:
        return str(uuid.UUID(card))
    except ValueError:
        return card


def read_card_id(card: str) -> CardId | None:
    """The parts of ``card``, or None where it is not a UUID of version 8."""
    try:
        read = uuid.UUID(card)
    except ValueError:
        return None
    if read.variant != uuid.RFC_4122 or read.version != 8:
        return None
    bits = read.int
    low = bits & ((1 << 62) - 1)
    return CardId(
        rule_tag=bits >> 104,
        version_tag=(bits >> 92) & 0xFFF,
        digest=((bits >> 80) & 0xFFF) << 32 | ((bits >> 64) & 0xFFF) << 20 | low >> 42,
        random=(low >> SEAL_BITS) & ((1 << RANDOM_BITS) - 1),
        seal=low & ((1 << SEAL_BITS) - 1),
    )


def _random_bits(count: int) -> int:
    """Up to 32 random bits from the operating system; `secrets.randbits` takes twice as long."""
    return int.from_bytes(os.urandom(4)) >> (32 - count)


class CardIds:
    """Makes and recognises card ids under one secret ``key`` (bytes, 16 or more).

    Ids made under ``earlier`` keys are recognised, but no new ones are made: see
    ``card_keys.CardKeys``, which may replace all keys while the service runs. ``random_bits(n)``
    gives n random bits as an integer; tests may pass their own.
    """

    def __init__(
        self,
        key: bytes,
        earlier: Iterable[bytes] = (),
        random_bits: Callable[[int], int] = _random_bits,
    ) -> None:
        self._random_bits = random_bits
        self.used = False
        self.use(key, earlier)

    def use(self, key: bytes, earlier: Iterable[bytes] = ()) -> None:
        """Make ids under ``key`` from now on, and recognise those of the ``earlier`` keys, too."""
        keys = tuple(dict.fromkeys([key, *earlier]))
        # One assignment: a thread sees either the old keys or the new. HMACs are set up once.
        self._keyed = tuple([hmac.new(key, digestmod="sha256") for key in keys])

    def new(
        self, rule: str, version: str, identity: Identity, evidence: str | Iterable[str]
    ) -> str:
        """The id of a card about to be shown.

        ``evidence`` is what the card is based on (codes, values, dates), in any order.
        """
        self.used = True
        keyed = self._keyed[0]
        digest = _digest(keyed, rule, version, identity, evidence)
        bits = (
            rule_tag(rule) << 104
            | version_tag(version) << 92
            | (digest >> 32) << 80
            | 8 << 76
            | ((digest >> 20) & 0xFFF) << 64
            | 0b10 << 62
            | (digest & 0xFFFFF) << 42
            | self._random_bits(RANDOM_BITS) << SEAL_BITS
        )
        digits = f"{bits | _seal(keyed, identity.origin, bits):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

    def was_made_for(self, card: str, origin: Origin) -> bool:
        """Whether ``card`` was made by this service, under a valid key, for this caller."""
        read = read_card_id(card)
        if read is None:
            return False
        seal = read.seal.to_bytes(4)
        bits = uuid.UUID(card).int >> SEAL_BITS << SEAL_BITS
        return any(
            hmac.compare_digest(_seal(keyed, origin, bits).to_bytes(4), seal)
            for keyed in self._keyed
        )

    def digests(
        self, rule: str, version: str, identity: Identity, evidence: str | Iterable[str]
    ) -> tuple[int, ...]:
        """The digest of this card under the current key, and under each earlier key."""
        pieces = (evidence,) if isinstance(evidence, str) else tuple(evidence)
        return tuple([_digest(keyed, rule, version, identity, pieces) for keyed in self._keyed])

    def pseudonym(self, kind: str, *parts: str) -> str:
        """16 hexadecimal digits that stand for a person or thing of one ``kind``.

        They are the same under the same key; without the key they reveal nothing.
        """
        return f"{_keyed_bits(self._keyed[0], _with_lengths('pseudonym', kind, *parts)):016x}"


def _digest(
    keyed: hmac.HMAC, rule: str, version: str, identity: Identity, evidence: str | Iterable[str]
) -> int:
    pieces = (evidence,) if isinstance(evidence, str) else sorted(set(evidence))
    origin, server, patient = identity
    head = _cached_with_lengths("card", rule, version) + _cached_with_lengths(*origin)
    return _keyed_bits(keyed, head + _with_lengths(server, patient, *pieces)) >> (64 - DIGEST_BITS)


def _seal(keyed: hmac.HMAC, origin: Origin, bits: int) -> int:
    head = _cached_with_lengths("seal", *origin)
    return _keyed_bits(keyed, head + _with_lengths(f"{bits:x}")) >> (64 - SEAL_BITS)


_SHORT = 128
_LENGTHS = tuple(size.to_bytes(8) for size in range(_SHORT))


def _with_lengths(*parts: str) -> bytes:
    # The length before each part distinguishes ("ab", "c") from ("a", "bc").
    pieces: list[bytes] = []
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        size = len(raw)
        pieces.append(_LENGTHS[size] if size < _SHORT else size.to_bytes(8))
        pieces.append(raw)
    return b"".join(pieces)


_cached_with_lengths = lru_cache(maxsize=1024)(_with_lengths)
"""For the ids of rules and callers, which every card has; never for a patient's."""


def _keyed_bits(keyed: hmac.HMAC, framed: bytes) -> int:
    copy = keyed.copy()
    copy.update(framed)
    return int.from_bytes(copy.digest()[:8])
