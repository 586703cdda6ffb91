"""The client list: read whole, or the program refuses to start and says which entry is wrong."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from token_builders import pair

from cds_service.errors import StartupError
from cds_service.trust.clients import load_clients

KEYS = {"keys": [pair().jwk]}
INLINE: dict[str, Any] = {"iss": "https://a.example", "jwks": KEYS}
REMOTE: dict[str, Any] = {"iss": "https://b.example", "jku": "https://b.example/jwks.json"}


@pytest.fixture
def listed(tmp_path: Path) -> Any:
    """A file with these entries (or this text)."""

    def write(content: Any) -> str:
        path = tmp_path / "clients.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_a_list_is_read_with_its_defaults(listed: Any) -> None:
    inline, remote = load_clients(listed([INLINE, REMOTE]))

    assert (inline.iss, [key.kid for key in inline.keys], inline.jku) == (
        "https://a.example",
        [pair().kid],
        None,
    )
    assert (remote.keys, remote.jku) == ((), "https://b.example/jwks.json")
    for client in (inline, remote):
        assert (client.audience, client.tenants, client.fhir_servers) == ((), (), ())
        assert (client.replay, client.algorithms) == ("reject", ("ES384", "RS384"))


def test_all_fields_of_an_entry_are_read(listed: Any) -> None:
    [client] = load_clients(
        listed(
            [
                REMOTE
                | {
                    "audience": ["sand_man"],
                    "tenants": ["t1"],
                    "fhir_servers": ["https://FHIR.b.example:443/r4/"],
                    "replay": "allow",
                    "algorithms": ["ES256"],
                }
            ]
        )
    )

    assert (client.audience, client.tenants) == (("sand_man",), ("t1",))
    assert client.fhir_servers == ("https://fhir.b.example/r4",)
    assert (client.replay, client.algorithms) == ("allow", ("ES256",))


def test_a_key_set_on_loopback_may_be_http(listed: Any) -> None:
    [client] = load_clients(listed([REMOTE | {"jku": "http://127.0.0.1:9000/jwks.json"}]))

    assert client.jku == "http://127.0.0.1:9000/jwks.json"


RSA = {
    "kty": "RSA",
    "kid": "own",
    "alg": "RS384",
    "n": "w" * 342,
    "e": "AQAB",
}  # not a real key: making one is slow
WEAK = "_" * 170 + "w"  # 1,024 ones
BAD: dict[str, tuple[Any, str, str]] = {
    # name: content, where it is wrong, what the message says
    "an empty list": ([], "clients", "a list of at least one client"),
    "an object": ({}, "clients", "a list of at least one client"),
    "an empty entry": ([INLINE, {}], "clients[1]", "an object with iss"),
    "not an object": ([INLINE, "x"], "clients[1]", "an object with iss"),
    "iss missing": ([{"jwks": KEYS}], "clients[0]", "'iss' is a required property"),
    "iss empty": ([INLINE | {"iss": ""}], "clients[0].iss", "text without spaces"),
    "iss blank": ([INLINE | {"iss": " "}], "clients[0].iss", "text without spaces"),
    "iss a number": ([INLINE | {"iss": 5}], "clients[0].iss", "text without spaces"),
    "neither jwks nor jku": ([{"iss": "a"}], "clients[0]", "exactly one of jwks and jku"),
    "both jwks and jku": ([INLINE | {"jku": "https://a.example"}], "clients[0]", "exactly one"),
    "jwks without keys": ([INLINE | {"jwks": {}}], "clients[0].jwks", "'keys' is a required"),
    "jwks with no key": (
        [INLINE | {"jwks": {"keys": []}}],
        "clients[0].jwks.keys",
        "at least one",
    ),
    "jwks a text": ([INLINE | {"jwks": "CANARY"}], "clients[0].jwks", "Key Set"),
    "a single key for keys": (
        [INLINE | {"jwks": {"keys": {"kty": "EC", "d": "CANARY"}}}],
        "clients[0].jwks.keys",
        "a list of at least one",
    ),
    "a key without kid": (
        [INLINE | {"jwks": {"keys": [{"kty": "EC"}]}}],
        "clients[0].jwks.keys[0]",
        "'kid' is a required property",
    ),
    "a symmetric key": (
        [INLINE | {"jwks": {"keys": [{"kty": "oct", "kid": "k", "k": "CANARY"}]}}],
        "jwks.keys[0]",
        "is symmetric",
    ),
    "a private EC key": (
        [INLINE | {"jwks": {"keys": [pair().jwk | {"d": "CANARY"}]}}],
        "jwks.keys[0]",
        "includes the private key",
    ),
    "a private RSA key": (
        [INLINE | {"jwks": {"keys": [pair().jwk, RSA | {"p": "CANARY"}]}}],
        "jwks.keys[1]",
        "includes the private key",
    ),
    "a key that cannot be read": (
        [INLINE | {"jwks": {"keys": [pair().jwk | {"x": "CANARY"}]}}],
        "jwks.keys[0]",
        "cannot be read",
    ),
    "an RSA key of 1,024 bits": (
        [INLINE | {"jwks": {"keys": [{"kty": "RSA", "kid": "k", "n": WEAK, "e": "AQAB"}]}}],
        "jwks.keys[0]",
        "has 1024 bits",
    ),
    "only keys for other algorithms": (
        [INLINE | {"jwks": {"keys": [pair("ES256").jwk]}}],
        "clients[0] (iss 'https://a.example')",
        "none of its keys can be used with ES384, RS384",
    ),
    "jku over http": ([REMOTE | {"jku": "http://b.example/k"}], "jku", "must be https"),
    "jku empty": ([REMOTE | {"jku": ""}], "clients[0].jku", "the https address"),
    "jku with a user": ([REMOTE | {"jku": "https://u:p@b.example/k"}], "jku", "not a plain"),
    "jku link-local": ([REMOTE | {"jku": "https://169.254.169.254/k"}], "jku", "link-local"),
    "jku a file": ([REMOTE | {"jku": "file:///etc/passwd"}], "jku", "not a plain"),
    "tenants empty": ([INLINE | {"tenants": []}], "clients[0].tenants", "leave it out"),
    "tenants with an empty one": ([INLINE | {"tenants": [""]}], "clients[0].tenants[0]", "text"),
    "audience a text": ([INLINE | {"audience": "x"}], "clients[0].audience", "a list"),
    "a FHIR server over http": (
        [INLINE | {"fhir_servers": ["http://b.example"]}],
        "fhir_servers",
        "must be https",
    ),
    "a FHIR server twice": (
        [INLINE | {"fhir_servers": ["https://b.example", "https://B.example/"]}],
        "fhir_servers",
        "listed twice",
    ),
    "replay unknown": ([INLINE | {"replay": "maybe"}], "clients[0].replay", '"reject"'),
    "algorithm none": ([INLINE | {"algorithms": ["none"]}], "algorithms[0]", "one of ES256"),
    "algorithm HS256": ([INLINE | {"algorithms": ["HS256"]}], "algorithms[0]", "one of ES256"),
    "algorithms empty": ([INLINE | {"algorithms": []}], "clients[0].algorithms", "a list"),
    "a misspelt name": ([INLINE | {"tenant": ["t1"]}], "clients[0]", "'tenant' was unexpected"),
    "the same issuer twice": (
        [INLINE, REMOTE, INLINE],
        "CDS_TRUSTED_CLIENTS",
        "clients[0] and clients[2] have the same iss 'https://a.example'",
    ),
    "not JSON": ("{", "CDS_TRUSTED_CLIENTS", "not JSON (line 1, column 2)"),
    "a name given twice": ('[{"iss":"a","iss":"b"}]', "CDS_TRUSTED_CLIENTS", "repeated"),
    "an empty file": ("", "CDS_TRUSTED_CLIENTS", "not JSON"),
}


@pytest.mark.parametrize(("content", "where", "message"), BAD.values(), ids=BAD.keys())
def test_a_list_with_a_flaw_is_refused_with_the_place_and_the_remedy(
    content: Any, where: str, message: str, listed: Any
) -> None:
    with pytest.raises(StartupError) as caught:
        load_clients(listed(content))

    error = caught.value
    assert where in error.where
    assert message in str(error)
    assert error.fix
    assert "CANARY" not in str(error)
    assert "\n" not in str(error)


def test_the_eleventh_entry_is_not_named_before_the_third(listed: Any) -> None:
    entries = [INLINE | {"iss": f"https://{number}.example"} for number in range(12)]
    entries[2]["replay"] = entries[10]["replay"] = "maybe"

    with pytest.raises(StartupError, match=r"clients\[2\]"):
        load_clients(listed(entries))


def test_the_schema_itself_is_valid() -> None:
    schema = files("cds_service.calls").joinpath("schemas/trusted-clients.schema.json").read_text()

    Draft202012Validator.check_schema(json.loads(schema))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be read"):
        load_clients(str(tmp_path / "none.json"))
