"""Who may call: valid tokens pass; each attack is refused by the check named beside it.

In the table of attacks every token is correct in all but one respect, and the reason is checked
too, so a test fails when its defence is gone even if another check would still refuse the token.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest
from token_builders import (
    ENDPOINT,
    ISS,
    JKU,
    NOW,
    PATH,
    PUBLIC_URL,
    Draft,
    MemoryReplay,
    bearer,
    callers,
    client,
    encoded,
    key_set,
    never_fetch,
    pair,
    token,
)

from cds_service.errors import Unauthorized, Unavailable
from cds_service.trust.jwk import read_key
from cds_service.trust.keys import KeySets
from cds_service.trust.token import LONGEST

OTHER_CLIENT = client(pair(name="other"), iss="https://other.example")


def json_claims(**changes: Any) -> str:
    return json.dumps(Draft(claims=changes).all_claims())


def json_headers() -> str:
    return json.dumps(Draft().all_headers())


def with_claim_text(name: str, text: str) -> str:
    """A signed token in whose payload the claim ``name`` is this literal JSON text."""
    claims = json_claims(**{name: "PLACEHOLDER"}).replace('"PLACEHOLDER"', text)
    return str(Draft(raw_claims=claims.encode()))


def refusal(
    authorization: str | None, *clients: Any, path: str = PATH, **parts_given: Any
) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        callers(*clients, **parts_given).verify(authorization, path)
    return caught.value


# --- what passes ---------------------------------------------------------------------------

P256 = pair("ES256")
GOOD: dict[str, tuple[str, Any]] = {
    "ES384": (bearer(token()), client()),
    "another algorithm by setting": (bearer(token(P256)), client(P256, algorithms=("ES256",))),
    "bearer in lower case": (f"bearer {token()}", client()),
    "typ in lower case": (bearer(token(header={"typ": "jwt"})), client()),
    "aud as a list": (bearer(token(aud=["https://elsewhere.example", ENDPOINT])), client()),
    "an extra audience of this client": (
        bearer(token(aud="sand_man")),
        client(audience=("sand_man",)),
    ),
    "expired within the leeway": (bearer(token(exp=NOW - 59)), client()),
    "issued ahead within the leeway": (bearer(token(iat=NOW + 59)), client()),
    "valid from ahead within the leeway": (bearer(token(nbf=NOW + 59)), client()),
    "times with fractions": (bearer(token(exp=NOW + 10.5, iat=NOW - 0.25)), client()),
    "no nbf, no tenant, extra claims": (bearer(token(sub="app-1", extra={"a": [1]})), client()),
    "a tenant where none is demanded": (bearer(token(tenant="t1")), client()),
    "a listed tenant": (bearer(token(tenant="t1")), client(tenants=("t1", "t2"))),
    "inline keys and a foreign jku, which is not followed": (
        bearer(token(header={"jku": "https://evil.example/jwks.json"})),
        client(),
    ),
}


@pytest.mark.parametrize(("authorization", "listed"), GOOD.values(), ids=GOOD.keys())
def test_a_valid_token_passes(authorization: str, listed: Any) -> None:
    caller = callers(listed).verify(authorization, PATH)

    assert (caller.client, caller.iss, caller.jti) == (listed, ISS, "a-nonce")


def test_an_rsa_key_passes_also_under_the_kid_of_another_kind() -> None:
    rsa = pair("RS384")  # made here: it takes as long as many tests
    other_kind = client(replace(rsa, jwk={**rsa.jwk, "kid": pair().kid}), pair("ES384"))

    assert callers(client(rsa)).verify(bearer(token(rsa)), PATH).iss == ISS
    assert callers(other_kind).verify(bearer(token(pair("ES384"))), PATH).iss == ISS


def test_a_caller_has_its_tenant_and_the_expiry_of_its_token() -> None:
    caller = callers().verify(bearer(token(tenant="t1", exp=NOW + 100)), PATH)

    assert (caller.tenant, caller.expires) == ("t1", NOW + 160)


@pytest.mark.parametrize("aud", [ENDPOINT, f"{ENDPOINT}/feedback"])
def test_feedback_accepts_the_service_address_or_its_own_as_audience(aud: str) -> None:
    assert callers().verify(bearer(token(aud=aud)), f"{PATH}/feedback")


def test_a_service_does_not_accept_its_feedback_address_as_audience() -> None:
    assert refusal(bearer(token(aud=f"{ENDPOINT}/feedback"))).where == "aud"


def test_discovery_is_not_mistaken_for_a_feedback_address() -> None:
    discovery = f"{PUBLIC_URL}/cds-services"

    assert callers().verify(bearer(token(aud=discovery)), "/cds-services")
    assert refusal(bearer(token(aud=discovery)), path="/cds-services/feedback").where == "aud"


# --- attacks -------------------------------------------------------------------------------


def parts() -> list[str]:
    return token().split(".")


def tampered() -> str:
    header, _, signature = parts()
    return f"{header}.{Draft(claims={'jti': 'another'}).signed_part().split('.')[1]}.{signature}"


def hmac_with_public_key() -> str:
    return Draft(header={"alg": "HS256"}).with_hmac(pair().public_pem)


HEADERS: dict[str, tuple[str | None, str]] = {
    "no header": (None, "no Authorization header"),
    "an empty header": ("", "no Authorization header"),
    "the scheme alone": ("Bearer", "one token"),
    "another scheme": (f"Basic {token()}", "one token"),
    "two schemes": (f"{bearer(token())}, Basic eDp5", "one token"),
    "two tokens": (f"{bearer(token())} {token(jti='2')}", "one token"),
    "a line break after the token": (f"{bearer(token())}\n", "one token"),
    "a blank inside the token": (bearer(token().replace(".", ". ", 1)), "one token"),
    "a comma after the token": (f"{bearer(token())},", "three base64url parts"),
    "letters beyond ASCII": (bearer(token() + "é"), "three base64url parts"),
    "full-width letters": (bearer("Ａ" + token()[1:]), "three base64url parts"),
    "too long": (bearer(token(pad="x" * LONGEST)), "longer than"),
    "encrypted (five parts)": (bearer(f"{token()}.aaaa.bbbb"), "encrypted"),
    "signature stripped": (bearer(".".join(parts()[:2])), "three base64url parts"),
    "signature emptied": (bearer(".".join(parts()[:2]) + "."), "three base64url parts"),
    "not base64url": (bearer(f"{parts()[0]}.{parts()[1]}.a"), "signature is not base64url"),
    "header not JSON": (bearer(Draft(raw_header=b"alg: none")), "header cannot be used: not JSON"),
    "header a list": (bearer(Draft(raw_header=b"[]")), "header cannot be used: not a JSON object"),
    "payload not UTF-8": (bearer(Draft(raw_claims=b'{"a":"\xff"}')), "not UTF-8"),
    "payload in UTF-16": (
        bearer(Draft(raw_claims=json_claims().encode("utf-16"))),
        "payload cannot be used: not UTF-8",
    ),
    "payload nested deeply": (bearer(Draft(raw_claims=b"[" * 5000)), "nested too deeply"),
    "a claim given twice": (
        bearer(Draft(raw_claims=json_claims().replace("{", '{"iss":"x",', 1).encode())),
        "repeated",
    ),
    "a header given twice": (
        bearer(Draft(raw_header=json_headers().replace("{", '{"alg":"none",', 1).encode())),
        "repeated",
    ),
    "exp NaN": (bearer(with_claim_text("exp", "NaN")), "NaN"),
    "exp infinite": (bearer(with_claim_text("exp", "Infinity")), "NaN"),
    "exp beyond all floats": (bearer(with_claim_text("exp", "1e999")), "too large"),
    "exp with 5,000 digits": (bearer(with_claim_text("exp", "9" * 5000)), "payload cannot be used"),
    "typ missing": (bearer(token(header={"typ": None})), "typ is missing"),
    "typ of an access token": (bearer(token(header={"typ": "at+jwt"})), "typ is not JWT"),
    "crit": (bearer(token(header={"crit": ["exp"]})), "crit"),
    "crit without a value": (bearer(Draft(
        raw_header=json_headers().replace("{", '{"crit":null,', 1).encode()
    )), "crit"),
}  # fmt: skip


@pytest.mark.parametrize(("authorization", "reason"), HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_is_not_one_plain_token_is_refused(
    authorization: str | None, reason: str
) -> None:
    error = refusal(authorization)

    assert (error.where, error.status) == ("header", 401)
    assert reason in error.what


ATTACKS: dict[str, tuple[str, str, str]] = {
    # name: token, the check that refuses it, words of the reason
    "alg none": (f"{Draft(header={'alg': 'none'}).signed_part()}.AAAA", "algorithm", "none"),
    "alg None in another spelling": (
        f"{Draft(header={'alg': 'nOnE'}).signed_part()}.AAAA",
        "algorithm",
        "none",
    ),
    "HS256 with the public key as secret": (hmac_with_public_key(), "algorithm", "symmetric"),
    "alg missing": (token(header={"alg": None}), "algorithm", "alg is missing"),
    "alg a list": (token(header={"alg": ["ES384"]}), "algorithm", "alg is not a text"),
    "an algorithm that is not this client's": (
        token(pair("ES256", "second")),
        "algorithm",
        "not one of this client's (ES384, RS384)",
    ),
    "iss missing": (token(iss=None), "iss", "iss is missing"),
    "iss unknown": (token(iss="https://evil.example"), "iss", "not in the client list"),
    "iss with a slash at the end": (token(iss=f"{ISS}/"), "iss", "not in the client list"),
    "iss a list": (token(iss=[ISS]), "iss", "iss is not a text"),
    "iss empty": (token(iss=""), "iss", "iss is not a text"),
    "aud missing": (token(aud=None), "aud", "aud is missing"),
    "aud of another service": (
        token(aud=f"{PUBLIC_URL}/cds-services/leg-cramps-order-select"),
        "aud",
        "aud is not",
    ),
    "aud of another host": (token(aud=f"https://evil.example/base{PATH}"), "aud", "aud is not"),
    "aud the host only": (token(aud="https://cds.example"), "aud", "aud is not"),
    "aud the base URL only": (token(aud=PUBLIC_URL), "aud", "aud is not"),
    "aud the discovery address": (token(aud=f"{PUBLIC_URL}/cds-services"), "aud", "aud is not"),
    "aud with a slash at the end": (token(aud=f"{ENDPOINT}/"), "aud", "aud is not"),
    "aud below ours": (token(aud=f"{ENDPOINT}/more"), "aud", "aud is not"),
    "aud with a query": (token(aud=f"{ENDPOINT}?x=1"), "aud", "aud is not"),
    "aud another client's extra audience": (token(aud="sand_man"), "aud", "aud is not"),
    "aud an empty list": (token(aud=[]), "aud", "neither a text nor a list"),
    "aud an object": (token(aud={ENDPOINT: 1}), "aud", "neither a text nor a list"),
    "aud a list with a number": (token(aud=[ENDPOINT, 1]), "aud", "neither a text nor a list"),
    "exp missing": (token(exp=None), "time", "exp is missing"),
    "expired": (token(exp=NOW - 60, iat=NOW - 400), "time", "has expired"),
    "exp as text": (token(exp=str(int(NOW + 300))), "time", "exp is not a number"),
    "exp true": (token(exp=True), "time", "exp is not a number"),
    "exp a list": (token(exp=[NOW + 300]), "time", "exp is not a number"),
    "exp beyond the year 9999": (token(exp=10**12), "time", "1970 and 9999"),
    "exp a number with 300 digits": (token(exp=10**300), "time", "1970 and 9999"),
    "exp negative": (token(exp=-1), "time", "1970 and 9999"),
    "iat missing": (token(iat=None), "time", "iat is missing"),
    "iat in the future": (token(iat=NOW + 61), "time", "issued in the future"),
    "iat as text": (token(iat="now"), "time", "iat is not a number"),
    "nbf in the future": (token(nbf=NOW + 61), "time", "not valid yet"),
    "nbf as text": (token(nbf="soon"), "time", "nbf is not a number"),
    "jti missing": (token(jti=None), "jti", "jti is missing"),
    "jti empty": (token(jti=""), "jti", "jti is not a text"),
    "jti a number": (token(jti=7), "jti", "jti is not a text"),
    "jti too long": (token(jti="x" * 513), "jti", "jti is not a text"),
    "jti half a surrogate pair": (with_claim_text("jti", '"\\ud800"'), "jti", "jti is not a text"),
    "jti with a line break": (token(jti="a\nb"), "jti", "jti is not a text"),
    "tenant an object": (token(tenant={"id": "t1"}), "tenant", "tenant is not a text"),
    "tenant too long": (token(tenant="t" * 256), "tenant", "tenant is too long"),
    "kid missing": (token(header={"kid": None}), "kid", "kid is missing"),
    "kid unknown": (token(header={"kid": "no-such-key"}), "kid", "not in this client's key set"),
    "kid a path": (token(header={"kid": "../../etc/passwd"}), "kid", "not in this client's"),
    "signed by another client with its own kid": (
        token(pair(name="other")),
        "kid",
        "not in this client's key set",
    ),
    "alg of another kind than the key": (
        token(header={"alg": "RS384"}),
        "kid",
        "not for the token's alg",
    ),
    "signed by another key under our kid": (
        token(pair(name="stranger"), header={"kid": pair().kid}),
        "signature",
        "does not match",
    ),
    "embedded key (jwk header)": (
        token(pair(name="stranger"), header={"kid": pair().kid, "jwk": pair(name="stranger").jwk}),
        "signature",
        "does not match",
    ),
    "key by certificate (x5u, x5c)": (
        token(
            pair(name="stranger"),
            header={"kid": pair().kid, "x5u": "https://evil.example/c.pem", "x5c": ["MIIB"]},
        ),
        "signature",
        "does not match",
    ),
    "foreign jku beside inline keys": (
        token(
            pair(name="stranger"),
            header={"kid": pair().kid, "jku": "https://evil.example/jwks.json"},
        ),
        "signature",
        "does not match",
    ),
    "payload changed after signing": (tampered(), "signature", "does not match"),
    "signature all zeros": (
        f"{Draft().signed_part()}.{encoded(bytes(96))}",
        "signature",
        "does not match",
    ),
    "signature of another length": (
        f"{Draft().signed_part()}.{encoded(bytes(5))}",
        "signature",
        "does not match",
    ),
}


@pytest.mark.parametrize(("compact", "check", "reason"), ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_is_refused_by_its_own_check(compact: str, check: str, reason: str) -> None:
    """Without isolation the second client's audience and keys would be accepted for the first."""
    replay = MemoryReplay()

    error = refusal(
        bearer(compact), client(), replace(OTHER_CLIENT, audience=("sand_man",)), replay=replay
    )

    assert (error.where, error.status) == (check, 401)
    assert reason in error.what
    assert not replay.used, "a token that was refused must not use up a jti"


@pytest.mark.parametrize("compact", [attack[0] for attack in ATTACKS.values()], ids=ATTACKS.keys())
def test_the_reason_for_the_log_quotes_nothing_of_the_token(compact: str) -> None:
    error = refusal(bearer(compact))

    assert not any(part in error.what for part in compact.split(".") if len(part) > 8)
    assert "evil" not in error.what


@pytest.mark.parametrize(
    ("tenant", "reason"),
    [(None, "tenant is missing"), ("t3", "tenant is not listed"), ("T1", "tenant is not listed")],
)
def test_a_client_with_tenants_must_name_a_listed_tenant(tenant: str | None, reason: str) -> None:
    error = refusal(bearer(token(tenant=tenant)), client(tenants=("t1", "t2")))

    assert (error.where, error.what) == ("tenant", reason)


def test_a_key_made_for_one_algorithm_is_not_used_with_another_of_its_kind() -> None:
    rsa = pair("RS384")
    compact = str(Draft(pair=rsa, header={"alg": "PS384"}, sign_with="PS384"))

    error = refusal(bearer(compact), client(rsa, algorithms=("RS384", "PS384")))

    assert (error.where, error.what) == (
        "kid",
        "the key with this kid is not for the token's alg",
    )


def test_a_key_verifies_only_the_algorithm_that_it_was_made_for() -> None:
    rsa = pair("RS384")
    draft = Draft(pair=rsa, sign_with="PS384")
    signature = urlsafe_b64decode(str(draft).rpartition(".")[2])

    assert not read_key(rsa.jwk).verifies("PS384", draft.signed_part().encode(), signature)


def test_a_key_on_another_curve_is_not_used() -> None:
    jwk = {name: value for name, value in P256.jwk.items() if name != "alg"}
    curve = replace(P256, jwk={**jwk, "alg": "ES384"})
    # PyJWT would verify this: it hashes as ES384 says and takes the curve from the key.
    listed = client(replace(curve, jwk=jwk))

    assert refusal(bearer(Draft(pair=curve)), listed).where == "kid"


def test_a_jku_that_is_not_the_clients_own_is_refused_and_nothing_is_fetched() -> None:
    foreign = token(header={"jku": "https://evil.example/jwks.json"})

    error = refusal(bearer(foreign), client(jku=JKU), keys=KeySets(never_fetch))

    assert (error.where, error.what) == ("jku", "jku is not this client's own")


@pytest.mark.parametrize("jku", [None, JKU], ids=["no jku in the token", "its own jku"])
def test_keys_come_from_the_clients_own_jku(jku: str | None) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return key_set(pair())

    assert callers(client(jku=JKU), keys=KeySets(fetch)).verify(
        bearer(token(header={"jku": jku})), PATH
    )
    assert fetched == [JKU]


@pytest.mark.parametrize(
    "claims", [{"iss": "https://x.example"}, {"aud": "x"}, {"exp": 1}, {"jti": None}], ids=str
)
def test_nothing_is_fetched_for_a_token_that_fails_a_check_that_needs_no_key(
    claims: dict[str, Any],
) -> None:
    assert refusal(bearer(token(**claims)), client(jku=JKU), keys=KeySets(never_fetch))


# --- replay --------------------------------------------------------------------------------


def test_a_token_is_valid_for_one_call() -> None:
    verifier = callers()
    verifier.verify(bearer(token()), PATH)

    with pytest.raises(Unauthorized, match="used before") as caught:
        verifier.verify(bearer(token()), PATH)

    assert caught.value.where == "replay"


def test_a_new_signature_does_not_make_a_used_jti_valid_again() -> None:
    verifier = callers()
    verifier.verify(bearer(token()), PATH)

    with pytest.raises(Unauthorized, match="used before"):
        verifier.verify(bearer(token(exp=NOW + 301)), PATH)


def test_a_token_used_for_a_service_cannot_be_used_for_its_feedback() -> None:
    verifier = callers()
    verifier.verify(bearer(token()), PATH)

    with pytest.raises(Unauthorized, match="used before"):
        verifier.verify(bearer(token()), f"{PATH}/feedback")


def test_the_same_jti_from_two_clients_counts_as_two_tokens() -> None:
    verifier = callers(client(), OTHER_CLIENT)
    verifier.verify(bearer(token()), PATH)

    assert verifier.verify(bearer(token(pair(name="other"), iss=OTHER_CLIENT.iss)), PATH)


def test_a_client_with_replay_allowed_may_use_a_token_again() -> None:
    verifier = callers(client(replay="allow"))

    assert verifier.verify(bearer(token()), PATH) == verifier.verify(bearer(token()), PATH)


def test_a_token_is_stored_as_a_digest_until_it_would_be_refused_anyway() -> None:
    replay = MemoryReplay()
    callers(replay=replay).verify(bearer(token(exp=NOW + 3000)), PATH)

    [((issuer, digest), expires)] = replay.used.items()

    assert (issuer, expires) == (ISS, NOW + 3000 + 60)
    assert len(digest) == 64
    assert "a-nonce" not in digest


def test_an_unavailable_store_ends_the_call_with_503() -> None:
    class UnavailableStore:
        def first_use(
            self, client: str, jti_digest: str, expires: float, issued: float = 0.0
        ) -> bool:
            raise Unavailable("The database is unavailable.")

    with pytest.raises(Unavailable):
        callers(replay=UnavailableStore()).verify(bearer(token()), PATH)


@pytest.mark.parametrize(
    ("lives_s", "accepted"),
    [(60, True), (3600, True), (3601, False), (86_400, False), (250_000_000_000, False)],
)
def test_a_token_that_lives_too_long_is_refused(lives_s: int, accepted: bool) -> None:
    """Fault 17 of the attacks: its id would be kept until the year 9900."""
    draft = Draft(claims={"iat": NOW, "exp": NOW + lives_s})
    if accepted:
        assert callers().verify(bearer(draft), PATH).iss
    else:
        assert refusal(bearer(draft)).where == "time"
