"""A service with a client list, and its one client with a key of its own."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import jwt

from cds_service.trust.inspect import make_key_pair
from tests.trust.token_builders import private

ISS = "https://ehr.example"
BASE = "https://cds.example/leg-cramps"
"""The public URL: what the proxy listens on, not what the program does."""


class Client:
    """Signs tokens for the service; ``folder`` takes the client list."""

    def __init__(self, folder: Path, alg: str = "ES384", **entry: Any) -> None:
        self.alg = alg
        self.pem, self.jwk = make_key_pair(alg)
        self.listed = folder / f"clients-{uuid.uuid4().hex}.json"
        self.listed.write_text(json.dumps([{"iss": ISS, "jwks": {"keys": [self.jwk]}} | entry]))

    @property
    def settings(self) -> dict[str, Any]:
        """By their field names."""
        return {"trusted_clients": str(self.listed), "public_url": BASE}

    def token(
        self, path: str, *, headers: Any = None, key: Any = None, alg: str = "", **claims: Any
    ) -> str:
        """A token for one call of ``path``, without claims that are ``...`` and headers None."""
        now = int(time.time())
        claims_sent = {"iss": ISS, "aud": BASE + path, "exp": now + 300, "iat": now,
                "jti": str(uuid.uuid4())} | claims  # fmt: skip
        head = {"typ": "JWT", "kid": self.jwk["kid"]} | (headers or {})
        if head["kid"] is None:
            del head["kid"]  # typ, in contrast, is left out by the library when it is None
        return jwt.encode(
            {name: value for name, value in claims_sent.items() if value is not ...},
            private(self.pem) if key is None else key,
            algorithm=alg or self.alg,
            headers=head,
        )

    def signed(self, path: str, **changes: Any) -> dict[str, str]:
        """The Authorization header of one call."""
        return {"Authorization": f"Bearer {self.token(path, **changes)}"}
