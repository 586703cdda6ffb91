"""``python -m tools.sandbox CHECKOUT``: the CDS Hooks sandbox, its FHIR server and our service.

CHECKOUT is a checkout of https://github.com/cds-hooks/sandbox. It is built with npm unless it was
built before. Everything listens on loopback only and ends with Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from tools.sandbox.fhir import BASE, FhirServer, Patients

PAGE_PORT, FHIR_PORT, SERVICE_PORT = 8080, 8090, 8000
SCREENS = {"patient-view": "patient-view", "order-select": "rx-view", "order-sign": "rx-sign"}
_START_S = 30.0


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Exit status: 0 if ended by the user, 1 if something could not be started."""
    parser = argparse.ArgumentParser(prog="python -m tools.sandbox", description=__doc__)
    parser.add_argument("checkout", type=Path, help="a checkout of the CDS Hooks sandbox")
    parser.add_argument("--page-port", type=int, default=PAGE_PORT)
    parser.add_argument("--fhir-port", type=int, default=FHIR_PORT)
    parser.add_argument("--service-port", type=int, default=SERVICE_PORT)
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        pages = built(options.checkout)
        fhir = FhirServer(Patients(datetime.now().astimezone().date()), options.fhir_port)
        page = ThreadingHTTPServer(
            ("127.0.0.1", options.page_port), partial(_Quiet, directory=str(pages))
        )
    except (OSError, ValueError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    for server in (fhir, page):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    fhir_base = f"http://localhost:{options.fhir_port}{BASE}"
    origin = f"http://localhost:{options.page_port}"
    service = subprocess.Popen(
        [sys.executable, "-m", "cds_service", "serve", "--workers", "1",
         "--port", str(options.service_port)],
        env=_environment(fhir_base, origin),
    )  # fmt: skip
    try:
        if not _answers(f"http://127.0.0.1:{options.service_port}/healthz", service):
            print("sandbox: the service did not start; see above.", file=sys.stderr)
            return 1
        print(_addresses(origin, fhir_base, options.service_port, fhir.records), flush=True)
        return service.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        service.terminate()
        service.wait(10)


def built(checkout: Path) -> Path:
    """The folder with the sandbox's pages, built if that was not done before.

    Raises ValueError that says what is missing.
    """
    if not (checkout / "webpack.config.prod.js").is_file():
        raise ValueError(
            f"{checkout} is not a checkout of the CDS Hooks sandbox. "
            "git clone https://github.com/cds-hooks/sandbox, and name the folder."
        )
    pages = checkout / "build"
    if not (pages / "app.bundle.js").is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise ValueError("npm is not installed: the sandbox is built with Node.js 20 or newer.")
        for words in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
            print(f"npm {' '.join(words)} (some minutes)", flush=True)
            if subprocess.run([npm, *words], cwd=checkout, check=False).returncode:
                raise ValueError(f"`npm {' '.join(words)}` failed in {checkout}; see above.")
    return pages


def _environment(fhir_base: str, origin: str) -> dict[str, str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    own = {name: value for name, value in os.environ.items() if name.startswith("CDS_")}
    return {
        **others,
        "CDS_DATABASE_URL": "sqlite:///sandbox.db",
        **own,
        "CDS_FHIR_SERVERS": fhir_base,
        "CDS_FHIR_OPEN": "1",
        "CDS_CORS_ORIGINS": origin,
    }


def _answers(address: str, service: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and service.poll() is None:
        try:
            with urlopen(address, timeout=1):  # noqa: S310  # loopback
                return True
        except OSError:
            time.sleep(0.1)
    return False


def address(origin: str, fhir_base: str, service_port: int, patient: str, hook: str) -> str:
    """The sandbox's page for a patient at a hook, with our service added."""
    query = {
        "fhirServiceUrl": fhir_base,
        "serviceDiscoveryURL": f"http://localhost:{service_port}/cds-services",
        "patientId": patient,
        "hook": hook,
        "screen": SCREENS[hook],
    }
    return f"{origin}/?{urlencode(query)}"


def _addresses(origin: str, fhir_base: str, service_port: int, records: Patients) -> str:
    lines = ["", "The sandbox, with this service added. Open one of these:", ""]
    for patient, title, story in records.patients:
        page = address(origin, fhir_base, service_port, patient, "patient-view")
        lines += [f"{title}: {story}", f"  {page}"]
    first = records.patients[0][0]
    lines += [
        "",
        "To order a drug, and to sign it (Rx View, Rx Sign):",
        f"  {address(origin, fhir_base, service_port, first, 'order-select')}",
        f"  {address(origin, fhir_base, service_port, first, 'order-sign')}",
        "",
        "Ctrl-C ends all of it.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
