"""A client with a key of its own, and its signed tokens, made before the load begins."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import jwt

from cds_service.trust.inspect import make_key_pair

ALGORITHM = "ES384"
REJECT = "https://ehr.example/replay-reject"
ALLOW = "https://ehr.example/replay-allow"


class Signer:
    """Signs for two clients: one whose tokens are good once, one whose tokens are good again."""

    def __init__(self) -> None:
        self._pem, self._jwk = make_key_pair(ALGORITHM)

    def client_list(self, path: Path) -> Path:
        """Write the file for ``CDS_TRUSTED_CLIENTS``."""
        keys = {"keys": [self._jwk]}
        path.write_text(
            json.dumps(
                [
                    {"iss": REJECT, "jwks": keys},
                    {"iss": ALLOW, "jwks": keys, "replay": "allow"},
                ]
            )
        )
        return path

    def tokens(self, iss: str, audience: str, count: int) -> list[str]:
        """So many tokens, each with a ``jti`` of its own, good for five minutes."""
        now = int(time.time())
        return [
            jwt.encode(
                {
                    "iss": iss,
                    "aud": audience,
                    "iat": now,
                    "exp": now + 300,
                    "jti": str(uuid.uuid4()),
                },
                self._pem,
                ALGORITHM,
                {"kid": self._jwk["kid"], "typ": "JWT"},
            )
            for _ in range(count)
        ]
