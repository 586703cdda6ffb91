"""Detects replayed tokens even while the database is unavailable.

A hospital's decision support must not fail with its feedback database. So the processes of a
service also remember used tokens in shared memory: while the database does not respond, this
decides, and a token is valid once per host. Tokens accepted meanwhile are refused even when the
database is available again. Feedback, which needs the database anyway, ends with 503.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from hashlib import blake2b
from tempfile import TemporaryFile

from cds_service.errors import Unavailable
from cds_service.ops import logs
from cds_service.ops.forks import after_fork
from cds_service.trust.callers import ReplayStore

_SLOT = struct.Struct("<8sQ")
"""Digest of a token, and the second at which it expires."""
_PER_BUCKET = 16
_BUCKET = _SLOT.size * _PER_BUCKET
_BUCKETS = 1 << 16
"""Room for a million tokens; only the used part of the 16 MB takes memory."""


class TokenUse(Enum):
    """The result of trying to remember a token."""

    FIRST = "first"
    KNOWN = "known"
    NO_ROOM = "no room"


class UsedTokens:
    """A set of used tokens, shared by this process and all processes forked from it.

    A token is stored in the bucket of its digest, which is keyed, so that no client can fill the
    bucket of another client's token.
    """

    def __init__(self, buckets: int = _BUCKETS) -> None:
        self._buckets = buckets
        self._file = _unnamed_file(buckets * _BUCKET)
        self._kept = mmap.mmap(self._file, buckets * _BUCKET)
        self._key = os.urandom(16)
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._file)
        after_fork(self._forked)

    def add(self, client: str, jti_digest: str, expires: float, now: float) -> TokenUse:
        """Remember a token until ``expires``; times are in seconds since 1970.

        Of any number of simultaneous calls in any of the processes, one gets FIRST. NO_ROOM
        means that its bucket is full of tokens that are still valid.
        """
        text = f"{client}\0{jti_digest}".encode()
        digest = blake2b(text, digest_size=8, key=self._key).digest()
        start = int.from_bytes(digest, "little") % self._buckets * _BUCKET
        free = -1
        with self._alone():
            bucket = self._kept[start : start + _BUCKET]
            for number, (known, ends) in enumerate(_SLOT.iter_unpack(bucket)):
                if ends <= now:
                    free = number
                elif known == digest:
                    return TokenUse.KNOWN
            if free < 0:
                return TokenUse.NO_ROOM
            place = start + free * _SLOT.size
            _SLOT.pack_into(self._kept, place, digest, min(int(expires) + 1, 2**63))
        return TokenUse.FIRST

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Exclude all other threads and processes; the lock of a process that dies is released."""
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _forked(self) -> None:
        self._lock = threading.Lock()


class ReplayCheck:
    """A `ReplayStore` that also works without its database.

    ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        store: ReplayStore,
        clock: Callable[[], float] = time.time,
        used: UsedTokens | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._used = used or UsedTokens()

    def first_use(self, client: str, jti_digest: str, expires: float, issued: float = 0.0) -> bool:
        """Whether this is the first use, according to the store or, failing that, this host.

        Raises Unavailable when the database is unavailable and the memory is full.
        """
        use = self._used.add(client, jti_digest, expires, self._clock())
        if use is TokenUse.KNOWN:
            return False
        try:
            return self._store.first_use(client, jti_digest, expires, issued)
        except Unavailable:
            if use is TokenUse.NO_ROOM:
                raise Unavailable(
                    "Tokens cannot be remembered.", "Try again in a minute."
                ) from None
            logs.logger(__name__).warning("replay_store_unavailable", reason="remembered here")
            return True


def _unnamed_file(size: int) -> int:
    """The descriptor of a file without a name, and on Linux in memory only."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("used-tokens")
    else:
        with TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.truncate(descriptor, size)
    return descriptor
