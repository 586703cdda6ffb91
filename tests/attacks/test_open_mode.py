"""Without a client list, only this machine may call, not other people's web pages.

Source: faults 15 and 19 of the attacks on the running service.
"""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import Settings

VIEW = "/cds-services/leg-cramps-patient-view"
ORIGIN = "https://ehr.example"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    url = f"sqlite:///{tmp_path_factory.mktemp('open')}/x.db"
    return create_app(Settings(database_url=url, cors_origins=(ORIGIN,))).test_client()


def _status(client: FlaskClient, path: str, **headers: str) -> int:
    return client.post(path, json={"feedback": []}, headers=headers).status_code


@pytest.mark.parametrize("path", [VIEW, f"{VIEW}/feedback", "/cds-services"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "127.0.0.1.nip.io", "localhost.evil.example", "localhost@evil.example",
        "0x7f.1", "192.0.2.1:8000", "", "localhost,evil.example", "127.0.0.1:80,evil.example",
        "evil@localhost", "localhost/evil", "localhost:80:90", "[::1]evil", "[::1", "local host",
    ],
)  # fmt: skip
def test_a_foreign_host_is_refused(client: FlaskClient, path: str, host: str) -> None:
    assert _status(client, path, Host=host) == 403


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:80"])
def test_this_machine_is_answered(client: FlaskClient, host: str) -> None:
    assert _status(client, f"{VIEW}/feedback", Host=host) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example", "null", "file://", f"{ORIGIN}.evil.example", "http://ehr.example",
        "http://localhost:1", "https://ehr.example:8443",
    ],
)  # fmt: skip
def test_feedback_from_a_foreign_page_is_refused(client: FlaskClient, origin: str) -> None:
    assert _status(client, f"{VIEW}/feedback", Host="localhost", Origin=origin) == 403


@pytest.mark.parametrize("origin", [None, ORIGIN, "https://evil.example"])
@pytest.mark.parametrize("path", ["/cds-services", "/openapi.json", "/nowhere"])
def test_the_answer_varies_by_origin(client: FlaskClient, path: str, origin: str | None) -> None:
    headers = {"Host": "localhost"} | ({"Origin": origin} if origin else {})
    answer = client.get(path, headers=headers)
    assert "Origin" in answer.headers["Vary"]
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    assert allowed in (None, ORIGIN)
    assert origin != "https://evil.example" or answer.status_code == 403 or allowed is None
