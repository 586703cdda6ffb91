"""Builders for the tests of trust: keys, clients, tokens (good and deliberately bad), a clock."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from cds_service.trust.callers import Callers
from cds_service.trust.clients import Client
from cds_service.trust.inspect import make_key_pair
from cds_service.trust.jwk import read_key
from cds_service.trust.keys import KeySets

NOW = 1_790_000_000.0
PUBLIC_URL = "https://cds.example/base"
PATH = "/cds-services/leg-cramps-patient-view"
ENDPOINT = PUBLIC_URL + PATH
ISS = "https://ehr.example"
JKU = "https://ehr.example/jwks.json"


@dataclass(frozen=True)
class Pair:
    """A test key pair."""

    pem: str
    jwk: dict[str, str]

    @property
    def kid(self) -> str:
        return self.jwk["kid"]

    @property
    def public_pem(self) -> bytes:
        public = private(self.pem).public_key()
        return bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@cache
def private(pem: str) -> Any:
    """The private key of a PEM text: it takes longer to load than to sign with."""
    return load_pem_private_key(pem.encode(), None)


@cache
def pair(alg: str = "ES384", name: str = "own") -> Pair:
    """The key pair of this name, made once per run (making RSA keys is slow)."""
    pem, jwk = make_key_pair(alg)
    return Pair(pem, {**jwk, "kid": f"{name}-{alg}"})


def client(*pairs: Pair, **changes: Any) -> Client:
    """The client ``ISS`` with these inline keys (default: its own ES384 key)."""
    keys = tuple(read_key(each.jwk) for each in pairs or (pair(),))
    return Client(**{"iss": ISS, "keys": () if "jku" in changes else keys, **changes})


class MemoryReplay:
    """A replay store for tests, in the memory of one process."""

    def __init__(self) -> None:
        self.used: dict[tuple[str, str], float] = {}

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        first = (client, jti_digest) not in self.used
        self.used[client, jti_digest] = expires
        return first


class Clock:
    """A clock that moves only when the test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def never_fetch(url: str) -> bytes:
    raise AssertionError(f"fetched {url}")


def callers(*clients: Client, keys: KeySets | None = None, replay: Any = None) -> Callers:
    return Callers(
        clients or (client(),),
        PUBLIC_URL,
        keys or KeySets(never_fetch),
        replay or MemoryReplay(),
        Clock(),
    )


def key_set(*pairs: Pair) -> bytes:
    return json.dumps({"keys": [each.jwk for each in pairs]}).encode()


def encoded(part: object) -> str:
    """Base64url of ``part``: bytes as they are, anything else as JSON."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(content).decode().rstrip("=")


@dataclass
class Draft:
    """A valid token until it is changed; ``str()`` signs it.

    A header or claim changed to ``None`` is left out. ``raw_header`` and ``raw_claims`` are
    bytes that replace the JSON; ``sign_with`` is the algorithm that makes the
    signature whatever ``alg`` says.
    """

    pair: Pair = field(default_factory=pair)
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    raw_header: bytes | None = None
    raw_claims: bytes | None = None
    sign_with: str | None = None

    def _without_none(self, base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in (base | changes).items() if value is not None}

    def all_claims(self) -> dict[str, Any]:
        base = {"iss": ISS, "aud": ENDPOINT, "iat": NOW - 5, "exp": NOW + 300, "jti": "a-nonce"}
        return self._without_none(base, self.claims)

    def all_headers(self) -> dict[str, Any]:
        base = {"alg": self.pair.jwk["alg"], "typ": "JWT", "kid": self.pair.kid}
        return self._without_none(base, self.header)

    def signed_part(self) -> str:
        header = self.all_headers() if self.raw_header is None else self.raw_header
        claims = self.all_claims() if self.raw_claims is None else self.raw_claims
        return f"{encoded(header)}.{encoded(claims)}"

    def __str__(self) -> str:
        signed = self.signed_part()
        algorithm = jwt.get_algorithm_by_name(self.sign_with or self.pair.jwk["alg"])
        return f"{signed}.{encoded(algorithm.sign(signed.encode(), private(self.pair.pem)))}"

    def with_hmac(self, secret: bytes) -> str:
        """The token with an HMAC for a signature."""
        signed = self.signed_part()
        return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def token(key_pair: Pair | None = None, *, header: Any = None, **claims: Any) -> str:
    """A signed token for ``ENDPOINT`` with these headers and claims changed (None: left out)."""
    return str(Draft(pair=key_pair or pair(), header=header or {}, claims=claims))


def bearer(compact: object) -> str:
    return f"Bearer {compact}"
