"""A FHIR server that holds the demo's patients: enough of R4 for the sandbox, on loopback only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from cds_service.catalogue.topics import chosen_topics, patient_folders
from cds_service.demo.fixtures import fixture_patients
from cds_service.settings import read_settings

Json = dict[str, Any]
BASE = "/fhir"
MOST_READ = 1_000_000
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?=T|$)")
_TYPE = re.compile(r"[A-Z][A-Za-z]{2,40}")


class Patients:
    """The records on file, by type, without drafts. Dates are shifted so that the fixtures' day is
    ``today``: a result from yesterday stays one."""

    def __init__(self, today: date) -> None:
        self._by_type: dict[str, list[Json]] = {}
        self.patients: list[tuple[str, str, str]] = []  # id, title, story
        folders = patient_folders(chosen_topics(read_settings()))
        for fixture in fixture_patients(folders).values():
            by = today - date.fromisoformat(fixture.as_of[:10])
            for entry in json.loads(fixture.bundle())["entry"]:
                resource = _shifted(entry["resource"], by)
                if resource["resourceType"] == "Patient":
                    self.patients.append((resource["id"], fixture.title, fixture.story))
                    resource.setdefault("name", [{"text": fixture.title, "family": fixture.title}])
                if resource.get("status") != "draft":
                    self._by_type.setdefault(resource["resourceType"], []).append(resource)

    def read(self, kind: str, identity: str) -> Json | None:
        """One resource, or None."""
        return next(
            (resource for resource in self._by_type.get(kind, ()) if resource["id"] == identity),
            None,
        )

    def search(self, kind: str, parameters: Mapping[str, str]) -> Json:
        """All that match, on one page; the newest results first."""
        matches = [
            resource for resource in self._by_type.get(kind, ()) if _matches(resource, parameters)
        ]
        matches.sort(key=lambda resource: str(resource.get("effectiveDateTime", "")), reverse=True)
        return {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(matches),
            "entry": [{"resource": resource, "search": {"mode": "match"}} for resource in matches],
        }


def _shifted(value: Any, by: timedelta, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _shifted(member, by, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_shifted(member, by, name) for member in value]
    if isinstance(value, str) and name != "birthDate" and _DAY.match(value):
        return (date.fromisoformat(value[:10]) + by).isoformat() + value[10:]
    return value


def _matches(resource: Json, parameters: Mapping[str, str]) -> bool:
    patient = parameters.get("patient") or parameters.get("subject")
    if patient is not None:
        holder = resource.get("subject") or resource.get("patient") or {}
        if holder.get("reference") != f"Patient/{patient.removeprefix('Patient/')}":
            return False
    if (status := parameters.get("status")) and resource.get("status") not in status.split(","):
        return False
    since = parameters.get("date", "")
    if since.startswith("ge") and str(resource.get("effectiveDateTime", "")) < since[2:]:
        return False
    if (codes := parameters.get("code")) is not None:
        return not set(_codes(resource)).isdisjoint(codes.split(","))
    return True


def _codes(resource: Json) -> Iterator[str]:
    for coding in resource.get("code", {}).get("coding", ()):
        yield f"{coding.get('system', '')}|{coding.get('code', '')}"
        yield str(coding.get("code", ""))


class FhirServer(ThreadingHTTPServer):
    """Answers on a port of loopback; 0 takes a free one."""

    daemon_threads = True

    def __init__(self, records: Patients, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.records = records


class _Handler(BaseHTTPRequestHandler):
    server: FhirServer

    def do_OPTIONS(self) -> None:  # http.server's name
        self._send(204, None)

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self._answer(parts.path, parts.query)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 <= length <= MOST_READ:
            self.close_connection = True
            return self._refuse(413)
        query = self.rfile.read(length).decode(errors="replace")
        path = urlsplit(self.path).path
        if not path.endswith("/_search"):
            return self._refuse(405)
        return self._answer(path.removesuffix("/_search"), query)

    def _answer(self, path: str, query: str) -> None:
        records = self.server.records
        kind, _, identity = path.removeprefix(f"{BASE}/").partition("/")
        if not path.startswith(f"{BASE}/") or not (kind == "metadata" or _TYPE.fullmatch(kind)):
            self._refuse(404)
        elif kind == "metadata":
            self._send(200, {"resourceType": "CapabilityStatement", "status": "active",
                             "kind": "instance", "fhirVersion": "4.0.1", "format": ["json"],
                             "date": date.today().isoformat()})  # fmt: skip  # noqa: DTZ011
        elif identity:
            resource = records.read(kind, unquote(identity))
            self._send(200, resource) if resource else self._refuse(404)
        else:
            self._send(200, records.search(kind, dict(parse_qsl(query))))

    def _refuse(self, status: int) -> None:
        issue = {"severity": "error", "code": "not-found" if status == 404 else "processing"}
        self._send(status, {"resourceType": "OperationOutcome", "issue": [issue]})

    def _send(self, status: int, content: Json | None) -> None:
        body = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
        self.send_header("Access-Control-Allow-Headers", "*, Authorization")
        if content is not None:
            self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""
