"""Test keys, test tokens, and the steps that say why a token is refused."""

from __future__ import annotations

import pytest
from token_builders import (
    ENDPOINT,
    ISS,
    JKU,
    NOW,
    PATH,
    PUBLIC_URL,
    Pair,
    bearer,
    callers,
    client,
    key_set,
    never_fetch,
    pair,
    token,
)

from cds_service.errors import Unauthorized
from cds_service.trust.inspect import explain_token, make_key_pair, sign_token
from cds_service.trust.jwk import ALGORITHMS
from cds_service.trust.keys import KeySets
from tests.testing.thorough import thorough

CHECKS = [
    *("header", "iss", "algorithm", "jku", "aud", "time"),
    *("jti", "tenant", "kid", "signature", "replay"),
]


# Making an RSA key is slow, and the same for all algorithms that use one.
@pytest.mark.parametrize(
    "alg",
    [
        pytest.param(alg, marks=() if alg in ("RS384", "PS384") or alg[0] == "E" else thorough)
        for alg in ALGORITHMS
    ],
)
def test_a_generated_key_signs_tokens_that_pass(alg: str) -> None:
    key = pair(alg)
    signed = sign_token(key.pem, key.kid, ISS, ENDPOINT, now=NOW, alg=alg, tenant="t1")

    caller = callers(client(key, algorithms=(alg,), tenants=("t1",))).verify(bearer(signed), PATH)

    assert (caller.tenant, caller.expires) == ("t1", NOW + 300 + 60)


def test_a_generated_public_key_has_its_thumbprint_as_kid_and_no_private_part() -> None:
    pem, jwk = make_key_pair("ES384")

    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert len(jwk["kid"]) == 43
    assert pem.startswith("-----BEGIN PRIVATE KEY-----")
    assert make_key_pair("ES384")[1]["kid"] != jwk["kid"]


def test_two_tokens_differ() -> None:
    verifier = callers()
    for _ in range(2):
        signed = sign_token(pair().pem, pair().kid, ISS, ENDPOINT, now=NOW)
        assert verifier.verify(bearer(signed), PATH)


@pytest.mark.parametrize("alg", ["none", "HS256", "EdDSA"])
def test_an_algorithm_that_is_never_accepted_gets_no_key_and_no_token(alg: str) -> None:
    with pytest.raises(ValueError, match="is not one of ES256"):
        make_key_pair(alg)
    with pytest.raises(ValueError, match="is not one of ES256"):
        sign_token(pair().pem, "k", ISS, ENDPOINT, now=NOW, alg=alg)


def test_a_key_of_another_type_cannot_sign() -> None:
    with pytest.raises(ValueError, match="cannot sign with RS384"):
        sign_token(pair().pem, "k", ISS, ENDPOINT, now=NOW, alg="RS384")


def test_a_good_token_passes_every_step() -> None:
    steps = explain_token(token(), [client()], PUBLIC_URL, PATH, NOW)

    assert [step.name for step in steps] == CHECKS
    assert all(step.ok and step.detail for step in steps)


@pytest.mark.parametrize(
    ("changes", "failed", "message"),
    [
        ({"iss": "https://x.example"}, "iss", "It is https://x.example."),
        ({"aud": "https://x.example"}, "aud", f"aud is not {ENDPOINT}. It is https://x.example."),
        ({"exp": NOW - 100}, "time", "expired (exp). 100 s ago."),
        ({"header": {"kid": "gone"}}, "kid", "It is gone."),
        ({"header": {"alg": "ES512"}}, "algorithm", "(ES384, RS384). It is ES512."),
    ],
)
def test_the_failing_step_comes_last_and_quotes_the_value_in_the_token(
    changes: dict[str, object], failed: str, message: str
) -> None:
    steps = explain_token(token(**changes), [client()], PUBLIC_URL, PATH, NOW)

    assert [step.name for step in steps] == CHECKS[: CHECKS.index(failed) + 1]
    assert [step.ok for step in steps] == [True] * (len(steps) - 1) + [False]
    assert message in steps[-1].detail


def test_the_steps_say_how_often_a_token_may_be_used() -> None:
    def last(replay: str) -> str:
        replaying = client(replay=replay)
        return explain_token(token(), [replaying], PUBLIC_URL, PATH, NOW)[-1].detail

    assert "refuses it the second time" in last("reject")
    assert "may use a token several times" in last("allow")


def test_the_keys_of_a_client_with_a_jku_are_fetched() -> None:
    def explained(fetched: Pair) -> bool:
        keys = KeySets(lambda _: key_set(fetched))
        return explain_token(token(), [client(jku=JKU)], PUBLIC_URL, PATH, NOW, keys=keys)[-1].ok

    assert explained(pair())
    assert not explained(pair(name="other"))


@pytest.mark.parametrize(
    "changes", [{}, {"exp": 1}, {"aud": "x"}, {"tenant": 3}, {"header": {"typ": "x"}}], ids=str
)
def test_the_explanation_agrees_with_the_verification(changes: dict[str, object]) -> None:
    compact = token(**changes)
    steps = explain_token(compact, [client()], PUBLIC_URL, PATH, NOW, keys=KeySets(never_fetch))
    try:
        callers().verify(bearer(compact), PATH)
    except Unauthorized as refusal:
        assert (steps[-1].name, steps[-1].ok) == (refusal.where, False)
    else:
        assert steps[-1].ok
