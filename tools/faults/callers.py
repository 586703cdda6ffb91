"""Clients that sign their calls, with good tokens and odd ones."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jwt

from cds_service.trust.inspect import make_key_pair
from tools.faults.bodies import view_call
from tools.faults.load import Call

PUBLIC_URL = "http://cds.example"


class Signer:
    """One client of the list; its keys stand in the list, or behind ``jku``."""

    def __init__(self, iss: str, jku: str | None = None) -> None:
        self.iss = iss
        self._pem, self._public = make_key_pair("ES384")
        self._jku = jku
        self._numbers = itertools.count()
        self._run = time.time_ns()

    @property
    def key_set(self) -> dict[str, Any]:
        """Its public keys."""
        return {"keys": [self._public]}

    @property
    def entry(self) -> dict[str, Any]:
        """Its entry in the client list."""
        keys = {"jku": self._jku} if self._jku else {"jwks": self.key_set}
        return {"iss": self.iss, **keys}

    def jti(self) -> str:
        """An id that no token had before."""
        return f"{self._run}-{next(self._numbers)}"

    def claims(self, path: str, now: float) -> dict[str, Any]:
        """What a good token says."""
        return {
            "iss": self.iss,
            "aud": PUBLIC_URL + path,
            "iat": int(now),
            "exp": int(now) + 300,
            "jti": self.jti(),
        }

    def signed(self, payload: bytes) -> str:
        """A token around ``payload``, which need not be sound."""
        header = {"typ": "JWT", "kid": self._public["kid"]}
        return jwt.PyJWS().encode(payload, self._pem, "ES384", header)

    def call(self, claims: Mapping[str, Any] | bytes | None = None, note: str = "") -> Call:
        """A patient-view call with a token: a good one, these claims, or this payload."""
        plain = view_call()
        said = self.claims(plain.path, time.time()) if claims is None else claims
        payload = said if isinstance(said, bytes) else json.dumps(said).encode()
        headers = {"Authorization": f"Bearer {self.signed(payload)}"}
        return Call(plain.path, plain.body, headers, note or self.iss)

    def calls(self) -> Iterator[Call]:
        """Calls with good tokens, without end."""
        while True:
            yield self.call()


def client_list(folder: Path, *signers: Signer) -> str:
    """The path of a client list with these clients."""
    path = folder / "clients.json"
    path.write_text(json.dumps([one.entry for one in signers]), encoding="utf-8")
    return str(path)
