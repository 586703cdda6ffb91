"""The public keys of the clients: inline ones, and those fetched from a client's own ``jku``.

Nothing in a token ever adds an address to fetch from or a key to trust: a token's ``kid``
only selects from the key set of the client that its ``iss`` names.

Fetched key sets are kept per process for ten minutes. For an unknown ``kid`` the set is fetched
again at once (a client may have new keys just after a call with the old ones), but at most once a
minute; likewise after a failure. While the key server is unavailable the old keys remain in use,
but for a day at most: a withdrawn key must not stay valid forever because somebody blocks the
key server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from math import inf
from typing import Final

import structlog

from cds_service.errors import Unavailable
from cds_service.ops.breaker import CLOSED, OPEN
from cds_service.trust.clients import Client
from cds_service.trust.jwk import PublicKey, read_key
from cds_service.trust.strict_json import read_object

KEEP: Final = 600.0  # seconds until a key set is fetched again
RETRY: Final = 60.0  # least seconds between two attempts at one address
KEEP_WHILE_UNAVAILABLE: Final = 86_400.0  # seconds that a set is used without its server
LARGEST: Final = 256 * 1024  # bytes of a key set
MOST_KEYS: Final = 100
MOST_WAITING: Final = 32
"""Most calls that wait for one key server at once; others are told to try again."""
CONNECT_TIMEOUT: Final = 1.0  # seconds
READ_TIMEOUT: Final = 2.0  # seconds, for each read
DEADLINE: Final = 3.0  # seconds for the whole response

FetchKeySet = Callable[[str], bytes]
_log = structlog.get_logger(__name__)


def fetch_key_set(url: str, deadline: float = DEADLINE) -> bytes:
    """The content at ``url``, read within ``deadline`` seconds.

    It is fetched like data from FHIR servers: without the machine's credentials and proxies, and
    with the system's certificate authorities as well as the public ones. Raises OSError where it
    is unreachable, slow, too large, or not a 200.
    """
    from cds_service.outbound.transport import Line  # slow to import; not needed for inline keys

    line = Line()
    # A server that sends a byte now and then never causes a socket timeout.
    late = threading.Timer(deadline, line.cut)
    late.daemon = True
    late.start()
    try:
        with line.in_use():
            body = _fetched(url)
    except OSError:
        if not line.is_cut:
            raise
    finally:
        late.cancel()
    if line.is_cut:  # also where a response of unknown length seems to have ended
        raise OSError(f"the key set took longer than {deadline:g} s")
    return body


def _fetched(url: str) -> bytes:
    from urllib3.exceptions import HTTPError

    from cds_service.outbound.transport import new_session

    with (
        new_session() as session,
        session.get(
            url,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,  # only the listed address is trusted
            stream=True,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        ) as response,
    ):
        if response.status_code != 200:
            raise OSError(f"the key server answered {response.status_code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise OSError("the key set is compressed although the request did not allow it")
        body = b""
        try:
            while part := response.raw.read1(65536):
                body += part
                if len(body) > LARGEST:
                    raise OSError(f"the key set is larger than {LARGEST} bytes")
        except HTTPError as error:
            raise OSError(f"the key set is incomplete ({type(error).__name__})") from None
        return body


def read_key_set(text: bytes) -> tuple[PublicKey, ...]:
    """The usable keys of a fetched set; others (symmetric, private, unsupported) are ignored.

    Raises ValueError where it is not a key set at all.
    """
    entries = read_object(text).get("keys")
    if not isinstance(entries, list) or len(entries) > MOST_KEYS:
        raise ValueError(f"not a key set of at most {MOST_KEYS} keys")
    keys: list[PublicKey] = []
    for entry in entries:
        try:
            keys.append(read_key(entry if isinstance(entry, dict) else {}))
        except ValueError:
            continue
    return tuple(keys)


class _CachedKeySet:
    """The key set of one address, and the times of the attempts to fetch it."""

    def __init__(self) -> None:
        self.fetching = threading.Lock()
        self.room = threading.BoundedSemaphore(MOST_WAITING)
        self.keys: tuple[PublicKey, ...] = ()
        self.fetched_at = -inf
        self.tried_at = -inf
        self.failed = False
        self.missed_at = -inf  # last attempt because of a kid that was not in a fresh set


class KeySets:
    """Finds the keys of a client by ``kid``; thread-safe.

    ``fetch`` takes a URL and returns the bytes of the response, or raises OSError. ``clock``
    gives monotonic seconds. ``on_change(address, state)`` is called when a key server fails
    (``open``: it is not called for a minute) and when it responds again (``closed``).
    """

    def __init__(
        self,
        fetch: FetchKeySet = fetch_key_set,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[str, str], None] = lambda _address, _state: None,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._sets: dict[str, _CachedKeySet] = {}

    def find(self, client: Client, kid: str) -> tuple[PublicKey, ...]:
        """The keys of ``client`` with this ``kid``: none if unknown, rarely more than one.

        Raises Unavailable where too many calls already wait for the client's key server.
        """
        if client.jku is None:
            return _with_kid(client.keys, kid)
        with self._lock:
            cached = self._sets.setdefault(client.jku, _CachedKeySet())
        found = self._current(cached, kid)
        if found and self._clock() - cached.fetched_at < KEEP:
            return found
        # A key server that hangs blocks only a few of its own callers, and no other threads.
        if not cached.room.acquire(blocking=False):
            raise Unavailable("The client's key server is slow.", "Try again in a few seconds.")
        try:
            # A call whose key is still usable does not wait for another thread's fetch.
            if cached.fetching.acquire(blocking=not found):
                try:
                    # Another thread may have fetched it while this one waited.
                    found = found or self._current(cached, kid)
                    if self._may_ask(cached, unknown=not found):
                        self._ask(client, client.jku, cached)
                finally:
                    cached.fetching.release()
        finally:
            cached.room.release()
        return self._current(cached, kid)

    def _may_ask(self, cached: _CachedKeySet, *, unknown: bool) -> bool:
        now = self._clock()
        first = cached.tried_at == -inf
        if first or cached.fetched_at < cached.tried_at or not unknown:
            return now - cached.tried_at >= RETRY
        if now - cached.missed_at < RETRY:
            return False
        cached.missed_at = now
        return True

    def _current(self, cached: _CachedKeySet, kid: str) -> tuple[PublicKey, ...]:
        if self._clock() - cached.fetched_at >= KEEP_WHILE_UNAVAILABLE:
            return ()
        return _with_kid(cached.keys, kid)

    def _ask(self, client: Client, jku: str, cached: _CachedKeySet) -> None:
        cached.tried_at = self._clock()
        try:
            cached.keys = read_key_set(self._fetch(jku))
        except (OSError, ValueError) as error:
            # The library's own messages may quote what the server sent.
            reason = str(error) if type(error) in {OSError, ValueError} else type(error).__name__
            _log.warning("key_set_unavailable", iss=client.iss, reason=reason)
            if not cached.failed:
                cached.failed = True
                self._on_change(jku, OPEN)
            return
        cached.fetched_at = self._clock()
        if cached.failed:
            cached.failed = False
            self._on_change(jku, CLOSED)


def _with_kid(keys: tuple[PublicKey, ...], kid: str) -> tuple[PublicKey, ...]:
    return tuple(key for key in keys if key.kid == kid)
