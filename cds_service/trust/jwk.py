"""The public keys in a JSON Web Key Set (RFC 7517, RFC 7518).

Only public keys are accepted. A symmetric key, or one that includes the private key, cannot be
trusted: anybody who can read the list could sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

# Each algorithm needs one kind of key, so that a token cannot choose another combination.
ALGORITHMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ES256": "P-256",
        "ES384": "P-384",
        "ES512": "P-521",
        "RS256": "RSA",
        "RS384": "RSA",
        "RS512": "RSA",
        "PS256": "RSA",
        "PS384": "RSA",
        "PS512": "RSA",
    }
)
# CDS Hooks 2.0.1, "Trusting CDS Clients", recommends these two.
DEFAULT_ALGORITHMS: Final = ("ES384", "RS384")

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_LEAST_RSA_BITS: Final = 2048  # RFC 7518, 3.3
_LONGEST_RSA_BITS: Final = 8192  # a giant key would make each verification slow


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One public key: its id, its kind ("RSA" or a curve), and the only algorithm that it is for
    (None: any of its kind)."""

    kid: str
    kind: str
    alg: str | None
    public: EllipticCurvePublicKey | RSAPublicKey

    def fits(self, alg: str) -> bool:
        """Whether a signature by ``alg`` may be checked with this key."""
        return ALGORITHMS.get(alg) == self.kind and self.alg in {None, alg}

    def verifies(self, alg: str, signed: bytes, signature: bytes) -> bool:
        """Whether ``signature`` over ``signed`` was made with the private key of this pair."""
        algorithm = jwt.get_algorithm_by_name(alg)
        return self.fits(alg) and algorithm.verify(signed, self.public, signature)


def read_key(jwk: Mapping[str, object]) -> PublicKey:
    """The public key of one JWK. Raises ValueError with a reason that never quotes the key."""
    kty = jwk.get("kty")
    if kty == "oct":
        raise ValueError("is symmetric: anybody who can verify could also sign")
    if _PRIVATE & jwk.keys():
        raise ValueError("includes the private key: make a new pair and list the public key only")
    if kty not in {"EC", "RSA"}:
        raise ValueError("is neither EC nor RSA")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid:
        raise ValueError("has no kid")
    if jwk.get("use", "sig") != "sig":
        raise ValueError("is not for signatures (use)")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("is not for verifying (key_ops)")
    alg = jwk.get("alg")
    if alg is not None and (not isinstance(alg, str) or alg not in ALGORITHMS):
        raise ValueError("is for an algorithm that is not accepted (alg)")
    public = _public(str(kty), dict(jwk))
    if isinstance(public, RSAPublicKey):
        if not _LEAST_RSA_BITS <= public.key_size <= _LONGEST_RSA_BITS:
            raise ValueError(f"has {public.key_size} bits; RSA keys need 2048 to 8192")
        return PublicKey(kid, "RSA", alg, public)
    return PublicKey(kid, str(jwk["crv"]), alg, public)


def _public(kty: str, jwk: dict[str, Any]) -> EllipticCurvePublicKey | RSAPublicKey:
    algorithm = jwt.get_algorithm_by_name("ES384" if kty == "EC" else "RS384")
    try:
        public = algorithm.from_jwk(jwk)
    except (jwt.InvalidKeyError, UnsupportedAlgorithm, ValueError, TypeError):
        raise ValueError("cannot be read (its numbers are missing or wrong)") from None
    if isinstance(public, EllipticCurvePublicKey | RSAPublicKey):
        return public
    raise ValueError("is not a public key")
