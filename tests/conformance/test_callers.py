"""Tokens through the whole service, as section "Trusting CDS Clients" has them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import responses
from flask.testing import FlaskClient

from tests.api.conftest import service
from tests.api.minimal_service import VIEW, body, post, topics
from tests.conformance.signing_client import BASE, ISS, Client

__all__ = ["service"]
Make = Callable[..., FlaskClient]
FEEDBACK = f"{VIEW}/feedback"


@pytest.mark.parametrize("alg", ["ES384", "RS384"])
def test_a_signed_call_is_answered(service: Make, tmp_path: Path, alg: str) -> None:
    """Client (Trusting CDS Clients; A2, A7): each call is signed with its private key."""
    ehr = Client(tmp_path, alg)
    client = service(**ehr.settings)

    assert topics(post(client, VIEW, body(), headers=ehr.signed(VIEW))) == ["low-potassium"]


@pytest.mark.parametrize("aud", [BASE + VIEW, BASE + FEEDBACK])
def test_feedback_may_be_signed_for_either_address(service: Make, tmp_path: Path, aud: str) -> None:
    """SHALL (Feedback, Trusting CDS Clients; F6): feedback is signed as a call is."""
    ehr = Client(tmp_path)
    client = service(**ehr.settings)

    response = post(client, FEEDBACK, {"feedback": []}, headers=ehr.signed(FEEDBACK, aud=aud))

    assert response.status_code == 200


def test_protected_discovery_accepts_a_token_for_its_own_address(
    service: Make, tmp_path: Path
) -> None:
    """SHALL (Trusting CDS Clients; D11): `aud` of a token for discovery is its address."""
    ehr = Client(tmp_path)
    client = service(**ehr.settings, discovery_auth=True)

    signed = [ehr.signed(path) for path in ("/cds-services", VIEW)]

    assert [client.get("/cds-services", headers=each).status_code for each in signed] == [200, 401]


STALE = int(time.time()) - 3600
WRONG: dict[str, dict[str, Any]] = {
    "issuer unknown": {"iss": "https://evil.example"},
    "issuer missing": {"iss": ...},
    "audience of another service": {"aud": f"{BASE}/cds-services/leg-cramps-order-select"},
    "audience the internal address": {"aud": f"http://127.0.0.1:8000{VIEW}"},
    "audience missing": {"aud": ...},
    "expired": {"exp": STALE + 300, "iat": STALE},
    "exp missing": {"exp": ...},
    "iat missing": {"iat": ...},
    "jti missing": {"jti": ...},
    "kid missing": {"headers": {"kid": None}},
    "kid unknown": {"headers": {"kid": "other"}},
    "typ missing": {"headers": {"typ": None}},
    "symmetric": {"alg": "HS256", "key": "k" * 48},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_token_is_401(service: Make, tmp_path: Path, changes: dict[str, Any]) -> None:
    """SHOULD, SHALL NOT (Trusting CDS Clients; A1 to A7): a token with a wrong header or claim."""
    ehr = Client(tmp_path)
    client = service(**ehr.settings)

    response = post(client, VIEW, body(), headers=ehr.signed(VIEW, **changes))

    assert response.status_code == 401


def test_alg_none_is_401(service: Make, tmp_path: Path) -> None:
    """SHALL NOT (JWT Signing Algorithm; A7): a token with `none` is not signed."""
    ehr = Client(tmp_path)
    head, claims, _ = ehr.token(VIEW, alg="none", key="").split(".")
    client = service(**ehr.settings)

    for signature in ("", "AAAA"):
        headers = {"Authorization": f"Bearer {head}.{claims}.{signature}"}
        assert post(client, VIEW, body(), headers=headers).status_code == 401


def test_a_token_is_valid_for_one_call(service: Make, tmp_path: Path) -> None:
    """Practice (Trusting CDS Clients, `jti`; A8): a token that was seen is refused."""
    ehr = Client(tmp_path)
    client = service(**ehr.settings)
    signed = ehr.signed(VIEW)

    status = [post(client, VIEW, body(), headers=signed).status_code for _ in range(3)]

    assert status == [200, 401, 401]


def test_a_client_may_be_allowed_to_use_a_token_again(service: Make, tmp_path: Path) -> None:
    """Practice (Trusting CDS Clients, `jti`; A8): a client whose tokens are for several calls."""
    ehr = Client(tmp_path, replay="allow")
    client = service(**ehr.settings)
    signed = ehr.signed(VIEW)

    assert [post(client, VIEW, body(), headers=signed).status_code for _ in range(2)] == [200, 200]


@responses.activate
def test_keys_come_from_the_listed_address_and_from_no_other(service: Make, tmp_path: Path) -> None:
    """SHOULD (Trusting CDS Clients; A3, A5): the service trusts the `iss` and `jku` on its
    list."""
    own = f"{ISS}/jwks.json"
    ehr = Client(tmp_path)
    ehr.listed.write_text(f'[{{"iss": "{ISS}", "jku": "{own}"}}]')
    fetched = responses.get(own, json={"keys": [ehr.jwk]})
    foreign = responses.get("https://evil.example/jwks.json", json={"keys": [ehr.jwk]})
    client = service(**ehr.settings)

    for jku, status in ((own, 200), ("https://evil.example/jwks.json", 401), (None, 200)):
        headers = ehr.signed(VIEW, headers={} if jku is None else {"jku": jku})
        assert post(client, VIEW, body(), headers=headers).status_code == status

    assert (fetched.call_count, foreign.call_count) == (1, 0)


def test_the_audience_is_the_public_address_whatever_the_host_header_says(
    service: Make, tmp_path: Path
) -> None:
    """SHALL (Trusting CDS Clients; A6): `aud` is the address of the endpoint that is called."""
    ehr = Client(tmp_path)
    client = service(**ehr.settings)
    spoofed = {"Host": "evil.example", "X-Forwarded-Host": "evil.example",
               "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/x",
               "Forwarded": "host=evil.example;proto=https"}  # fmt: skip

    for aud, status in ((f"https://evil.example{VIEW}", 401), (BASE + VIEW, 200)):
        headers = spoofed | ehr.signed(VIEW, aud=aud)
        assert post(client, VIEW, body(), headers=headers).status_code == status
