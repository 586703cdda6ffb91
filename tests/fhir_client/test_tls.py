"""https: the certificate is verified, by the system's authorities and the usual public ones."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cds_service.calls.envelope import Authorization
from cds_service.outbound.transport import new_session
from cds_service.sources.fetch.client import Access, FetchedData, fetch_missing
from tests.fhir_client.loopback import FOREVER, Loopback, Request, Step, bundle, reply


def certificate_for(address: str, path: Path) -> Path:
    """A file with a key and a self-signed certificate for one IP address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "FHIR server of a test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def fetch_over_tls(
    certificate: Path, answer: Callable[[Request], list[Step]], deadline_s: float = 20
) -> tuple[FetchedData, int]:
    """What was fetched, and how many requests the server saw."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with Loopback(answer) as server:
        server.encrypt(context)
        authorization = Authorization("token", "patient/*.read")
        access = Access(server.url.replace("http:", "https:"), authorization)
        with new_session() as session:
            fetched = fetch_missing(
                {"problems": "Condition?patient=1"},
                access,
                "1",
                deadline_s=deadline_s,
                session_factory=lambda: session,
            )["problems"]
        return fetched, len(server.requests)


def test_a_certificate_that_the_system_trusts_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for("127.0.0.1", tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetched, requests = fetch_over_tls(certificate, lambda _: [reply(bundle("a"))])
    assert (fetched.state, fetched.reason, requests) == ("given", "", 1)


def test_an_untrusted_certificate_is_refused_and_no_token_is_sent(
    tmp_path: Path,
) -> None:
    certificate = certificate_for("127.0.0.1", tmp_path / "server.pem")
    fetched, requests = fetch_over_tls(certificate, lambda _: [reply(bundle("a"))])
    assert (fetched.state, fetched.reason, requests) == (
        "unavailable",
        "no secure connection to the FHIR server could be made",
        0,
    )


def test_a_trusted_certificate_of_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for("127.0.0.2", tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetched, requests = fetch_over_tls(certificate, lambda _: [reply(bundle("a"))])
    assert (fetched.state, requests) == ("unavailable", 0)


def test_a_hanging_https_server_is_abandoned_at_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for("127.0.0.1", tmp_path / "server.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    slow: list[Step] = [b"HTTP/1.1 200 OK\r\n", *[b"X-Slow: x\r\n", 0.02] * 90, FOREVER]
    fetched, requests = fetch_over_tls(certificate, lambda _: slow, deadline_s=0.5)
    assert (fetched.state, requests, fetched.milliseconds < 1000) == ("unavailable", 1, True)
    assert fetched.reason == ("the FHIR server gave no full answer to Condition within 0.5 s")
