"""A sealed record can be opened with the private key and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cds_service.audit.sealing import Sealer, new_pair, open_sealed, read_private, read_public
from cds_service.errors import BadRequest, StartupError

CONTENT = "what a card said: Krämpfe 🦵".encode() * 50


@pytest.fixture
def private(tmp_path: Path) -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def test_a_sealed_record_can_be_opened_with_the_private_key(private: X25519PrivateKey) -> None:
    sealer = Sealer(private.public_key())
    sealed = [sealer.seal(CONTENT, str(number)) for number in range(3)]
    assert len({*sealed}) == 3
    assert all(
        open_sealed(record, str(number), private) == CONTENT for number, record in enumerate(sealed)
    )
    assert b"card" not in b"".join(sealed)


def test_each_minute_has_a_key_of_its_own(private: X25519PrivateKey) -> None:
    now = [0.0]
    sealer = Sealer(private.public_key(), clock=lambda: now[0])
    first, second = sealer.seal(CONTENT, "r"), sealer.seal(CONTENT, "r")
    now[0] = 61.0
    third = sealer.seal(CONTENT, "r")
    assert first[:36] == second[:36] != third[:36]
    assert open_sealed(third, "r", private) == CONTENT


@pytest.mark.parametrize(
    "position", [0, 4, 36, 48, -1], ids=["mark", "key", "nonce", "text", "tag"]
)
def test_a_changed_record_is_not_opened(private: X25519PrivateKey, position: int) -> None:
    sealed = bytearray(Sealer(private.public_key()).seal(CONTENT, "r"))
    sealed[position] ^= 1
    with pytest.raises(BadRequest):
        open_sealed(bytes(sealed), "r", private)


@pytest.mark.parametrize("length", [0, 3, 36, 47, 60])
def test_a_truncated_record_is_not_opened(private: X25519PrivateKey, length: int) -> None:
    with pytest.raises(BadRequest):
        open_sealed(Sealer(private.public_key()).seal(CONTENT, "r")[:length], "r", private)


def test_no_other_key_or_record_opens_it(private: X25519PrivateKey) -> None:
    sealed = Sealer(private.public_key()).seal(CONTENT, "r")
    with pytest.raises(BadRequest, match="--key"):
        open_sealed(sealed, "r", X25519PrivateKey.generate())
    with pytest.raises(BadRequest):
        open_sealed(sealed, "other", private)


def test_keys_are_read_back_in_every_form(tmp_path: Path) -> None:
    pem, line = new_pair()
    path = tmp_path / "private.pem"
    path.write_text(pem)
    read = read_private(path)
    (tmp_path / "line").write_text(f"{line}\n")
    encoding = serialization.PublicFormat.SubjectPublicKeyInfo
    public = read.public_key().public_bytes(serialization.Encoding.PEM, encoding)
    (tmp_path / "public.pem").write_bytes(public)
    for setting in (line, str(tmp_path / "line"), str(tmp_path / "public.pem")):
        sealed = Sealer(read_public(setting)).seal(CONTENT, "r")
        assert open_sealed(sealed, "r", read) == CONTENT


def test_a_setting_that_is_not_a_public_key_refuses_to_start(tmp_path: Path) -> None:
    pem, line = new_pair()
    other = generate_private_key(SECP256R1())
    public = other.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "private.pem").write_text(pem)
    (tmp_path / "other.pem").write_bytes(public)
    (tmp_path / "empty").write_text("")
    for setting in (
        "nothing",
        line[:-9],
        "cds-audit:",
        str(tmp_path / "private.pem"),
        str(tmp_path / "other.pem"),
        str(tmp_path / "empty"),
        str(tmp_path),
        "\x00",
    ):
        with pytest.raises(StartupError, match="CDS_AUDIT_KEY"):
            read_public(setting)


def test_a_file_that_is_not_the_private_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a key")
    for path in (tmp_path / "text", tmp_path / "missing"):
        with pytest.raises(BadRequest, match=str(path)):
            read_private(path)
