"""The clients that may call: the file that ``CDS_TRUSTED_CLIENTS`` names.

Its shape is defined by ``schemas/trusted-clients.schema.json``. What a schema cannot express
(usable keys, one entry per issuer, valid URLs) is checked here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cds_service.core.identity import DEFAULT_SITE
from cds_service.errors import StartupError
from cds_service.outbound.fhir_servers import checked_servers, read_address
from cds_service.trust.jwk import DEFAULT_ALGORITHMS, PublicKey, read_key
from cds_service.trust.strict_json import read_json

SETTING = "CDS_TRUSTED_CLIENTS"


@dataclass(frozen=True, slots=True)
class Client:
    """One client that may call.

    ``keys`` are its inline public keys (empty where it has a ``jku``). ``audience`` are ``aud``
    values that are accepted besides the endpoint's URL. Where ``tenants`` is empty, calls for any
    tenant or none are accepted. ``fhir_servers`` are the base URLs that it may name, in plain
    spelling. ``site`` is the name of its site, ``tenant_sites`` the names of sites by tenant.
    """

    iss: str
    keys: tuple[PublicKey, ...] = ()
    jku: str | None = None
    audience: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    fhir_servers: tuple[str, ...] = ()
    replay: Literal["reject", "allow"] = "reject"
    algorithms: tuple[str, ...] = DEFAULT_ALGORITHMS
    site: str | None = None
    tenant_sites: Mapping[str, str] = field(default_factory=dict)

    def site_of(self, tenant: str | None) -> str:
        """The name of the site whose settings apply to a tenant of this client."""
        return self.tenant_sites.get(tenant or "", self.site or DEFAULT_SITE)


def load_clients(path: str) -> tuple[Client, ...]:
    """The clients listed in the JSON file at ``path``.

    Raises StartupError, naming the entry (``clients[1]`` is the second) and what to do, for any
    entry that is malformed, empty, unusable or listed twice.
    """
    try:
        entries = read_json(Path(path).read_bytes())
    except OSError as error:
        raise StartupError(
            f"the client list {path!r} cannot be read ({error.strerror}).",
            f"Set {SETTING} to a readable file, or unset it.",
            SETTING,
        ) from None
    except ValueError as error:
        raise StartupError(
            f"the client list {path!r} is {error}.", "Correct the file.", SETTING
        ) from None
    _check_shape(entries)
    clients: list[Client] = []
    seen: dict[str, int] = {}
    for number, entry in enumerate(cast("list[dict[str, Any]]", entries)):
        client = _client(entry, f"{SETTING}: clients[{number}] (iss {entry['iss']!r})")
        if client.iss in seen:
            raise StartupError(
                f"clients[{seen[client.iss]}] and clients[{number}] have the same iss "
                f"{client.iss!r}.",
                "Keep one entry per issuer.",
                SETTING,
            )
        seen[client.iss] = number
        clients.append(client)
    return tuple(clients)


def check_sites(clients: Sequence[Client], sites: Collection[str]) -> None:
    """Raise StartupError for a client that names a site that is not in the sites file."""
    for number, client in enumerate(clients):
        site_names = {"site": client.site} if client.site is not None else {}
        site_names |= {
            f"tenant_sites.{tenant}": site for tenant, site in client.tenant_sites.items()
        }
        for place, site in site_names.items():
            if site not in sites:
                raise StartupError(
                    f"no site is called {site}.",
                    f"The sites are {', '.join(sites)} (CDS_SITES).",
                    f"{SETTING}: clients[{number}] (iss {client.iss!r}).{place}",
                )


def _check_shape(entries: object) -> None:
    schema = json.loads(
        files("cds_service.calls").joinpath("schemas/trusted-clients.schema.json").read_bytes()
    )
    # Sorted, so that the first entry with a flaw is named before later ones.
    errors = sorted(
        Draft202012Validator(schema).iter_errors(entries),
        key=lambda error: [str(part).zfill(6) for part in error.absolute_path],
    )
    if not errors:
        return
    error = errors[0]
    where = f"{SETTING}: clients" + "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path
    )
    raise StartupError(_flaw(error), f"It must be {_description(error)}.", where)


def _flaw(error: ValidationError) -> str:
    # The library's own messages quote the value, which may be a private key.
    if error.validator in {"required", "additionalProperties"}:
        return f"{error.message}."
    return "the value does not have the right shape."


def _description(error: ValidationError) -> str:
    schema = error.schema
    return str(schema["description"]) if isinstance(schema, dict) else "left out"


def _client(entry: dict[str, Any], where: str) -> Client:
    algorithms = tuple(entry.get("algorithms", DEFAULT_ALGORITHMS))
    keys = tuple(
        _inline_key(jwk, f"{where}.jwks.keys[{number}]")
        for number, jwk in enumerate(entry.get("jwks", {}).get("keys", ()))
    )
    jku = entry.get("jku")
    if jku is not None:
        try:
            read_address(jku)
        except ValueError as error:
            raise StartupError(
                f"the address {error}.", "Correct the URL.", f"{where}.jku"
            ) from None
    elif not any(key.fits(alg) for key in keys for alg in algorithms):
        raise StartupError(
            f"none of its keys can be used with {', '.join(algorithms)}.",
            "List a suitable public key, or add its algorithm to algorithms.",
            where,
        )
    tenants, tenant_sites = tuple(entry.get("tenants", ())), entry.get("tenant_sites", {})
    if tenant_sites and "site" not in entry:
        # No site's settings would apply to any other tenant, so it may not call.
        for tenant in tenants:
            if tenant not in tenant_sites:
                raise StartupError(
                    f"the tenant {tenant!r} has no site.",
                    "Name one under tenant_sites, or a site for all other tenants.",
                    f"{where}.tenant_sites",
                )
        tenants = tenants or tuple(tenant_sites)
    return Client(
        iss=entry["iss"],
        keys=keys,
        jku=jku,
        audience=tuple(entry.get("audience", ())),
        tenants=tenants,
        fhir_servers=checked_servers(entry.get("fhir_servers", ()), f"{where}.fhir_servers"),
        replay=entry.get("replay", "reject"),
        algorithms=algorithms,
        site=entry.get("site"),
        tenant_sites=tenant_sites,
    )


def _inline_key(jwk: dict[str, Any], where: str) -> PublicKey:
    try:
        return read_key(jwk)
    except ValueError as error:
        raise StartupError(f"the key {error}.", "List public keys only.", where) from None
