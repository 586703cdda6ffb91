"""Who may call without a token: programs on this machine, but not web pages of other sites.

A web page of another site can make a browser send requests to a service on its user's machine,
and a host name that is later pointed to that machine (DNS rebinding) makes them look as if they
came from the service's own pages.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cds_service.errors import Forbidden
from cds_service.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_OPEN = frozenset({"/healthz", "/readyz", "/metrics"})
_NETLOC = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::[0-9]*)?")


class Origins:
    """Checks ``Host`` and ``Origin`` of each request of a service without a client list.

    With CDS_INSECURE_OPEN any host name is accepted: it is not known which one is right.
    """

    def __init__(self, settings: Settings) -> None:
        self._any_host = settings.insecure_open
        self._host = _host(urlsplit(settings.public_url).netloc)
        self._origins = {
            *(origin.rstrip("/").lower() for origin in settings.cors_origins),
            "{0.scheme}://{0.netloc}".format(urlsplit(settings.public_url)).lower(),
        }

    def check(self, environ: WSGIEnvironment) -> None:
        """Raise Forbidden for a foreign host or origin."""
        if environ["PATH_INFO"] in _OPEN:
            return  # for probes, which use the pod's address; they have no patient data
        host = environ.get("HTTP_HOST", "")
        if not self._any_host and not self._is_ours(_host(host)):
            raise Forbidden(
                "This service does not accept that host name.",
                "Use the host of CDS_PUBLIC_URL, or localhost.",
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is None or "*" in self._origins or origin.lower() in self._origins:
            return
        try:
            parts = urlsplit(origin)
            same = parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
        except ValueError:
            same = False
        if not same:
            raise Forbidden(
                "Web pages of that origin may not call this service.",
                "Add the origin to CDS_CORS_ORIGINS, or set CDS_TRUSTED_CLIENTS.",
            )

    def _is_ours(self, host: str) -> bool:
        if host in ("localhost", self._host):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def _host(netloc: str) -> str:
    """The host of ``host:port``, without brackets; "" for anything else, such as two hosts."""
    match = _NETLOC.fullmatch(netloc)
    return (match[1] or match[2]).lower().rstrip(".") if match else ""
