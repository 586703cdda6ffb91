"""Tools for connecting a client: test keys, test tokens, and why a token is refused.

Used by ``cds-service keys`` and ``cds-service check-client``.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds_service.errors import Unauthorized
from cds_service.trust.callers import Callers
from cds_service.trust.clients import Client
from cds_service.trust.jwk import ALGORITHMS
from cds_service.trust.keys import KeySets

_CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
# The members that RFC 7638 hashes, in its order.
_THUMBPRINT = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


@dataclass(frozen=True, slots=True)
class Step:
    """One check of a token: its name, whether it passed, and the detail."""

    name: str
    ok: bool
    detail: str


def make_key_pair(alg: str) -> tuple[str, dict[str, str]]:
    """A new key pair for ``alg`` (such as ES384): private key as PEM, public key as JWK.

    The JWK's ``kid`` is its thumbprint (RFC 7638). Raises ValueError for an algorithm that is
    not supported.
    """
    kind = ALGORITHMS.get(alg)
    if kind is None:
        raise ValueError(f"{alg} is not one of {', '.join(ALGORITHMS)}.")
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if kind == "RSA":
        private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    else:
        private = ec.generate_private_key(_CURVES[kind])
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public: dict[str, Any] = json.loads(jwt.get_algorithm_by_name(alg).to_jwk(private.public_key()))
    members = {name: str(public[name]) for name in _THUMBPRINT[str(public["kty"])]}
    digest = hashlib.sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    kid = urlsafe_b64encode(digest).decode().rstrip("=")
    return pem, {**members, "kid": kid, "alg": alg, "use": "sig"}


def sign_token(
    private_pem: str,
    kid: str,
    iss: str,
    aud: str,
    *,
    now: float,
    alg: str = "ES384",
    lifetime: float = 300,
    tenant: str | None = None,
    jku: str | None = None,
) -> str:
    """A token as a CDS client signs it for one call, valid for ``lifetime`` seconds from ``now``.

    ``aud`` is the full URL of the endpoint; ``now`` is in seconds since 1970. Raises ValueError
    where the key and the algorithm do not match.
    """
    claims: dict[str, object] = {
        "iss": iss,
        "aud": aud,
        "iat": int(now),
        "exp": int(now + lifetime),
        "jti": secrets.token_urlsafe(24),
    }
    if tenant is not None:
        claims["tenant"] = tenant
    headers = {"kid": kid, "typ": "JWT"} | ({} if jku is None else {"jku": jku})
    if alg not in ALGORITHMS:
        raise ValueError(f"{alg} is not one of {', '.join(ALGORITHMS)}.")
    try:
        return jwt.encode(claims, private_pem, algorithm=alg, headers=headers)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise ValueError(f"The private key cannot sign with {alg}.") from None


class _NoReplayCheck:
    """A `ReplayStore` for inspecting a token without using it up."""

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        return True


def explain_token(
    token: str,
    clients: Sequence[Client],
    public_url: str,
    path: str,
    now: float,
    *,
    keys: KeySets | None = None,
) -> list[Step]:
    """The checks that ``token`` passes for the endpoint at ``path``, up to the first that fails.

    The checks are those of `Callers`, except that replay cannot be known here. ``now`` is in
    seconds since 1970. The keys of a client with a ``jku`` are fetched.
    """
    callers = Callers(clients, public_url, keys or KeySets(), _NoReplayCheck(), lambda: now)
    steps: list[Step] = []
    try:
        caller = callers.examine(
            f"Bearer {token.strip()}",
            path,
            lambda name, detail: steps.append(Step(name, True, detail)),
        )
    except Unauthorized as refusal:
        steps.append(Step(refusal.where, False, f"{refusal.what}. {refusal.fix}".strip()))
        return steps
    remembered = (
        "this client may use a token several times"
        if caller.client.replay == "allow"
        else "valid for one call; the running service refuses it the second time"
    )
    steps.append(Step("replay", True, remembered))
    return steps
