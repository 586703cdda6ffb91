"""The caller: the signed token (JWT) of a CDS client, checked claim by claim.

Source: CDS Hooks 2.0.1, "Trusting CDS Clients"; RFC 7515, 7519, 8725. Cheap and public checks
come first, then the signature, and replay last, so that nobody without a key can make the
service compute or remember much.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from cds_service.errors import Unauthorized
from cds_service.trust.clients import Client
from cds_service.trust.jwk import ALGORITHMS
from cds_service.trust.keys import KeySets
from cds_service.trust.token import Token, bearer_token, read_token, seconds, text, texts

LONGEST_TENANT: Final = 255
"""Characters; a database index can have this and the longest card id."""
LEEWAY: Final = 60.0  # seconds by which clocks may differ
_FEEDBACK: Final = re.compile(r"(/cds-services/[^/]+)/feedback")

OnPassed = Callable[[str, str], None]


class ReplayStore(Protocol):
    """Remembers used tokens across workers, hosts and restarts."""

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        """Whether this is the first use of the token, which is remembered from now on.

        ``client`` is the issuer, and ``jti_digest`` a SHA-256 in hex. ``expires`` is the time
        (seconds since 1970) after which the token is refused anyway and may be forgotten.
        ``issued`` is the time at which it was made: a token from before the store has ids counts
        as used. The operation is atomic: of two simultaneous calls, one gets True. Raises
        Unavailable when the database is unavailable; the call then ends with 503, because a
        replay cannot be excluded.
        """
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller: the entry in the client list, and the claims of the token.

    ``expires`` is the time after which the token is refused, including leeway, and ``issued`` its
    iat claim, both in seconds since 1970.
    """

    client: Client
    iss: str
    tenant: str | None
    jti: str
    expires: float
    issued: float


class Callers:
    """Verifies the tokens of the listed clients, for endpoints below ``public_url``.

    ``clock`` gives seconds since 1970; ``max_age`` is the longest life of a token in seconds.
    """

    def __init__(
        self,
        clients: Iterable[Client],
        public_url: str,
        keys: KeySets,
        replay: ReplayStore,
        clock: Callable[[], float] = time.time,
        max_age: float = 3600.0,
    ) -> None:
        self.clients = tuple(clients)
        self._clients = {client.iss: client for client in self.clients}
        self._public_url = public_url.rstrip("/")
        self._keys = keys
        self._replay = replay
        self._clock = clock
        self._max_age = max_age

    def verify(self, authorization: str | None, path: str) -> Caller:
        """The caller of the endpoint at ``path`` (below the public URL, with a leading slash).

        ``authorization`` is the request's Authorization header. Raises Unauthorized (its
        ``what`` is for the log and quotes nothing from the token; ``fix`` may quote claims, and
        is for ``cds-service check-client`` only) and Unavailable (see ReplayStore).
        """
        return self.require_first_use(self.examine(authorization, path))

    def require_first_use(self, caller: Caller) -> Caller:
        """The caller, unless its token was used before. Raises Unauthorized and Unavailable."""
        if caller.client.replay == "reject":
            digest = hashlib.sha256(caller.jti.encode()).hexdigest()
            if not self._replay.first_use(caller.iss, digest, caller.expires, caller.issued):
                raise Unauthorized(
                    "the token was used before",
                    'Make a token with a new jti for each call, or set "replay": "allow".',
                    "replay",
                )
        return caller

    def examine(
        self, authorization: str | None, path: str, passed: OnPassed = lambda _name, _detail: None
    ) -> Caller:
        """All checks of ``verify`` except replay; changes nothing.

        ``passed(name, detail)`` is called for each check that was passed. Raises Unauthorized
        with the name of the failed check as ``where``, and Unavailable (see `KeySets.find`).
        """
        with _check("header"):
            token = read_token(bearer_token(authorization))
            _check_type(token)
        passed("header", "one signed token of type JWT")

        with _check("algorithm"):
            alg = text(token.header, "alg")
            if alg not in ALGORITHMS:
                raise ValueError("alg is none, symmetric or unknown")
        with _check("iss"):
            client = self._client(text(token.claims, "iss"))
        passed("iss", f"{client.iss} is listed")
        with _check("algorithm"):
            if alg not in client.algorithms:
                accepted = ", ".join(client.algorithms)
                raise ValueError(f"alg is not one of this client's ({accepted})", f"It is {alg}.")
        passed("algorithm", f"{alg} is accepted from this client")

        with _check("jku"):
            detail = _check_jku(token, client)
        passed("jku", detail)
        with _check("aud"):
            detail = self._check_audience(token, client, path)
        passed("aud", detail)
        with _check("time"):
            expires, issued, detail = self._check_times(token)
        passed("time", detail)
        with _check("jti"):
            jti = text(token.claims, "jti")
        passed("jti", f"{len(jti)} characters")
        with _check("tenant"):
            tenant = _tenant(token, client)
        passed("tenant", "any tenant may call" if not client.tenants else f"{tenant} is listed")

        with _check("kid"):
            kid = text(token.header, "kid")
            keys = self._keys.find(client, kid)
            if not keys:
                raise ValueError("kid is not in this client's key set", f"It is {kid}.")
            keys = tuple(key for key in keys if key.fits(alg))
            if not keys:
                raise ValueError("the key with this kid is not for the token's alg")
        passed("kid", f"{kid} is in the client's key set and fits {alg}")
        with _check("signature"):
            if not any(key.verifies(alg, token.signed, token.signature) for key in keys):
                raise ValueError("the signature does not match")
        passed("signature", "made with the private key of that pair")
        return Caller(client, client.iss, tenant, jti, expires, issued)

    def _client(self, iss: str) -> Client:
        client = self._clients.get(iss)
        if client is None:
            raise ValueError("iss is not in the client list", f"It is {iss}.")
        return client

    def _check_audience(self, token: Token, client: Client, path: str) -> str:
        endpoint = self._public_url + path
        accepted = {endpoint, *client.audience}
        if feedback := _FEEDBACK.fullmatch(path):
            # The specification does not say which of the two is the audience for feedback.
            accepted.add(self._public_url + feedback[1])
        audiences = texts(token.claims, "aud")
        if accepted.isdisjoint(audiences):
            raise ValueError(f"aud is not {endpoint}", f"It is {', '.join(audiences)}.")
        return f"names {endpoint}" if endpoint in audiences else "names an accepted audience"

    def _check_times(self, token: Token) -> tuple[float, float, str]:
        now = self._clock()
        expires = seconds(token.claims, "exp") + LEEWAY
        if now >= expires:
            raise ValueError("the token has expired (exp)", f"{now - expires + LEEWAY:.0f} s ago.")
        issued = seconds(token.claims, "iat")
        if issued > now + LEEWAY:
            raise ValueError("the token was issued in the future (iat)", "Correct the clocks.")
        if expires - LEEWAY - issued > self._max_age:
            raise ValueError(
                f"the token is valid for more than {self._max_age:g} s (from iat to exp)",
                "Make tokens that are valid for minutes, or raise CDS_TOKEN_MAX_AGE.",
            )
        if token.claims.get("nbf") is not None:
            valid_from = seconds(token.claims, "nbf")
            if valid_from > now + LEEWAY:
                raise ValueError("the token is not valid yet (nbf)", "Correct the clocks.")
        return (
            expires,
            issued,
            f"issued {now - issued:.0f} s ago, valid for {expires - now:.0f} s more",
        )


@contextmanager
def _check(name: str) -> Iterator[None]:
    """Turns a ValueError(reason, detail) into Unauthorized for the check ``name``."""
    try:
        yield
    except ValueError as error:
        message, *detail = error.args
        raise Unauthorized(str(message), " ".join(map(str, detail)), name) from None


def _check_type(token: Token) -> None:
    if text(token.header, "typ").lower() != "jwt":
        raise ValueError("typ is not JWT (an access token in the wrong place?)")
    # No critical header extensions are supported (RFC 7515, 4.1.11).
    if "crit" in token.header:
        raise ValueError("crit demands extensions that are not supported")


def _check_jku(token: Token, client: Client) -> str:
    jku = token.header.get("jku")
    if client.jku is None:
        return "the client's keys are in the list; a jku in the token is not followed"
    if jku is not None and jku != client.jku:
        raise ValueError("jku is not this client's own", f"The list has {client.jku}.")
    return f"keys come from {client.jku}"


def _tenant(token: Token, client: Client) -> str | None:
    tenant = text(token.claims, "tenant") if token.claims.get("tenant") is not None else None
    if tenant is not None and len(tenant) > LONGEST_TENANT:
        raise ValueError("tenant is too long", f"It may have {LONGEST_TENANT} characters.")
    if client.tenants and tenant not in client.tenants:
        raise ValueError("tenant is missing" if tenant is None else "tenant is not listed")
    return tenant
