"""Starts and drives the FHIR server of this folder (Medplum's router, in node).

with started() as server:
    server.load(bundle)
    fetch_missing(..., Access(server.url, ...), ...)
"""

from __future__ import annotations

import json
import selectors
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

HERE = Path(__file__).parent
OLDEST_NODE = (20, 19)  # required by the packages

Resource = dict[str, Any]


class FhirServer:
    """A running server. ``url`` is its FHIR base URL, on loopback, without a slash at the end."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.url = f"{origin}/fhir"

    def _call(self, method: str, path: str, body: object = None) -> Any:
        response = requests.request(method, f"{self._origin}{path}", json=body, timeout=30)
        if response.status_code != 200:
            raise AssertionError(f"{method} {path}: {response.status_code} {response.text[:500]}")
        return response.json()

    def load(self, what: Resource | Sequence[Resource]) -> Counter[str]:
        """Store a Bundle's resources, or a list of resources, under their own ids.

        References by ``fullUrl`` (``urn:uuid:…``) become ``Type/id``, as a server makes them
        of a transaction. Returns how many of each type were stored: assert on it, because
        this server answers an empty Bundle to what it does not understand.
        """
        entries = (
            what["entry"]
            if isinstance(what, dict)
            else [{"resource": resource} for resource in what]
        )
        resources = [entry["resource"] for entry in entries]
        ids = {
            entry["fullUrl"]: f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
            for entry in entries
            if str(entry.get("fullUrl", "")).startswith("urn:")
        }
        stored = self._call("POST", "/resources", _with_references(resources, ids))
        assert stored == {"stored": len(resources)}
        return Counter(resource["resourceType"] for resource in resources)

    @contextmanager
    def knobs(
        self,
        *,
        latency_ms: int = 0,
        page_size: int = 1000,
        token: str | None = None,
        failing: dict[str, int] | None = None,
    ) -> Iterator[None]:
        """Inside the block: answer later, in smaller pages, only with ``token``, or not at all.

        ``failing`` maps a resource type to the HTTP status that is answered instead.
        """
        untouched = {"latencyMs": 0, "pageSize": 1000, "token": None, "failing": {}}
        settings = {"latencyMs": latency_ms, "pageSize": page_size, "token": token}
        self._call("POST", "/control", {**settings, "failing": failing or {}})
        try:
            yield
        finally:
            self._call("POST", "/control", untouched)

    def requests(self) -> list[str]:
        """What was requested since the last `reset`, oldest first, below the base URL."""
        targets: list[str] = self._call("GET", "/requests")
        return targets

    def reset(self) -> None:
        """Forget all resources, requests and knobs."""
        self._call("DELETE", "/control")


def _with_references(node: Any, ids: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {
            name: ids.get(value, value)
            if name == "reference" and isinstance(value, str)
            else _with_references(value, ids)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [_with_references(each, ids) for each in node]
    return node


def missing() -> str:
    """Why the server cannot run here; empty if it can."""
    node = shutil.which("node")
    if node is None:
        return "the test FHIR server needs node, which is not installed"
    output = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(int(part) for part in output.strip().lstrip("v").split(".")[:2])
    if version < OLDEST_NODE:
        return f"the test FHIR server needs node 20.19 or newer, not {output.strip()}"
    if not (HERE / "node_modules" / "@medplum" / "fhir-router" / "package.json").exists():
        return "the test FHIR server is not installed: npm install --prefix tests/fhir_server"
    return ""


@contextmanager
def started(*, ready_within_s: float = 30.0) -> Iterator[FhirServer]:
    """A separate server that ends with the block. Check `missing` first."""
    with subprocess.Popen(
        ["node", "server.mjs"], cwd=HERE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                line = process.stdout.readline() if selector.select(ready_within_s) else ""
            if not line:
                raise RuntimeError("the test FHIR server did not start")
            yield FhirServer(f"http://127.0.0.1:{json.loads(line)['port']}")
        finally:
            process.stdin.close()  # the server ends with its input
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
