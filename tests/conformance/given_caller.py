"""A service behind a client list, and its one client with a key of its own."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path
from typing import Any

import jwt

from cds_service.trust.inspect import make_key_pair

ISS = "https://ehr.example"
BASE = "https://cds.example/leg-cramps"
"""The public URL: what the proxy listens on, not what the program does."""


class Client:
    """Signs tokens for the service; ``folder`` takes the client list, ``entry`` is its own part.

    With ``jku`` among ``entry`` its keys are not in the list.
    """

    def __init__(self, folder: Path, alg: str = "ES384", **entry: Any) -> None:
        self.alg = alg
        self.pem, self.jwk = make_key_pair(alg)
        self.key_set = {"keys": [self.jwk]}
        keys = {} if "jku" in entry else {"jwks": self.key_set}
        self.entry = {"iss": ISS} | keys | entry
        self.listed = client_list(folder, self)

    @property
    def settings(self) -> dict[str, Any]:
        """By their field names."""
        return {"trusted_clients": str(self.listed), "public_url": BASE}

    def claims(self, path: str) -> dict[str, Any]:
        """What a good token for one call of ``path`` says."""
        now = int(time.time())
        return {"iss": self.entry["iss"], "aud": BASE + path, "exp": now + 300, "iat": now,
                "jti": str(uuid.uuid4())}  # fmt: skip

    def token(
        self, path: str, *, headers: Any = None, key: Any = None, alg: str = "", **claims: Any
    ) -> str:
        """A token for one call of ``path``, without claims that are ``...`` and headers None."""
        said = self.claims(path) | claims
        head = {"typ": "JWT", "kid": self.jwk["kid"]} | (headers or {})
        if head["kid"] is None:
            del head["kid"]  # typ, in contrast, is left out by the library when it is None
        return jwt.encode(
            {name: value for name, value in said.items() if value is not ...},
            self.pem if key is None else key,
            algorithm=alg or self.alg,
            headers=head,
        )

    def around(self, payload: bytes) -> str:
        """A token around a payload that need not be sound."""
        header = {"typ": "JWT", "kid": self.jwk["kid"]}
        return jwt.PyJWS().encode(payload, self.pem, self.alg, header)

    def signed(self, path: str, **changes: Any) -> dict[str, str]:
        """The Authorization header of one call."""
        return {"Authorization": f"Bearer {self.token(path, **changes)}"}


def client_list(folder: Path, *clients: Client) -> Path:
    """A file that lists these clients."""
    path = folder / f"clients-{uuid.uuid4().hex}.json"
    path.write_text(json.dumps([one.entry for one in clients]), encoding="utf-8")
    return path
