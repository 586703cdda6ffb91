"""Test keys, test tokens and the reason why a token is refused, on the command line."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Command

ISS = "https://ehr.example"
VIEW = "http://127.0.0.1:8000/cds-services/leg-cramps-patient-view"
SIGNED = ("keys", "--iss", ISS, "--aud", VIEW)


def test_a_key_pair_is_written_and_its_private_half_is_private(
    cds: Command, tmp_path: Path
) -> None:
    result = cds("keys", "--out", "made/here")

    assert (result.status, result.out) == (0, "")
    private = tmp_path / "made" / "here" / "private.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_text().startswith("-----BEGIN PRIVATE KEY-----")
    (entry,) = json.loads((private.parent / "clients.json").read_text())
    assert entry["iss"] == ISS
    (public,) = entry["jwks"]["keys"]
    assert "d" not in public
    assert len(result.err.splitlines()) == 2


def test_keys_are_never_overwritten(cds: Command, tmp_path: Path) -> None:
    cds("keys")
    before = (tmp_path / "keys" / "private.pem").read_bytes()
    result = cds("keys")
    assert (result.status, result.err) == (
        1, "cds-service: --out: keys/private.pem already exists. Name another file with --out.\n"
    )  # fmt: skip
    assert (tmp_path / "keys" / "private.pem").read_bytes() == before


@pytest.mark.parametrize("words", [("--iss", ISS), ("--aud", VIEW)])
def test_issuer_and_audience_go_together(
    cds: Command, tmp_path: Path, words: tuple[str, ...]
) -> None:
    result = cds("keys", *words)
    assert result.status == 2
    assert "Give both --iss and --aud" in result.err
    assert not (tmp_path / "keys").exists()


def test_no_key_is_made_for_an_algorithm_that_is_never_accepted(
    cds: Command, tmp_path: Path
) -> None:
    result = cds("keys", "--alg", "HS256")
    assert result.status == 1
    assert "--alg: " in result.err
    assert not (tmp_path / "keys").exists()


def test_a_test_token_passes_every_check(cds: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    token = cds(*SIGNED).out.strip()
    monkeypatch.setenv("CDS_TRUSTED_CLIENTS", "keys/clients.json")

    result = cds("check-client", token)

    assert (result.status, result.err) == (0, "")
    assert all(line.startswith("ok ") for line in result.out.splitlines())
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))
    assert cds("check-client", "-").status == 0


def test_a_token_for_another_address_is_refused_naming_the_check(
    cds: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = cds(*SIGNED).out.strip()
    monkeypatch.setenv("CDS_TRUSTED_CLIENTS", "keys/clients.json")

    result = cds("check-client", token, "--path", "/cds-services/leg-cramps-order-select")

    assert result.status == 1
    assert result.out.splitlines()[-1].startswith("refused aud: ")
    assert token not in result.out


def test_without_a_client_list_nobody_is_checked(cds: Command) -> None:
    result = cds("check-client", "any")
    assert result.status == 1
    assert "anybody may call" in result.err
