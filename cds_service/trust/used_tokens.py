"""Replay of tokens, also while the database is unavailable.

A hospital's decision support must not go dark with its feedback database. So the processes of a
service also remember used tokens in a piece of memory that they share: while the database does not
answer, that decides, and a token is good once on this host. What they let in meanwhile they refuse
when the database is back, too. Feedback, which needs the database anyway, ends with 503.
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
"""Digest of a token, and the second at which it ends."""
_PER_BUCKET = 16
_BUCKET = _SLOT.size * _PER_BUCKET
_BUCKETS = 1 << 16
"""Room for a million tokens; only what is used of the 16 MB takes memory."""


class Noted(Enum):
    """What became of a token that was to be remembered."""

    FIRST = "first"
    KNOWN = "known"
    NO_ROOM = "no room"


class UsedTokens:
    """A set of used tokens, shared by this process and all that are forked from it.

    A token's place is the bucket of its digest, under a key of this service, so that no client can
    fill the bucket of another's.
    """

    def __init__(self, buckets: int = _BUCKETS) -> None:
        self._buckets = buckets
        self._file = _unnamed_file(buckets * _BUCKET)
        self._kept = mmap.mmap(self._file, buckets * _BUCKET)
        self._key = os.urandom(16)
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._file)
        after_fork(self._forked)

    def add(self, client: str, jti_digest: str, expires: float, now: float) -> Noted:
        """Remember a token until ``expires``; times in seconds since 1970.

        Of any number of simultaneous calls, in any of the processes, one gets FIRST. NO_ROOM:
        every place that it could take belongs to a token that is still good.
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
                    return Noted.KNOWN
            if free < 0:
                return Noted.NO_ROOM
            place = start + free * _SLOT.size
            _SLOT.pack_into(self._kept, place, digest, min(int(expires) + 1, 2**63))
        return Noted.FIRST

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread or process is in this block. A process that dies in it leaves it."""
        with self._lock:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _forked(self) -> None:
        self._lock = threading.Lock()


class ReplayCheck:
    """A `ReplayStore` that goes on without its database. ``clock`` gives seconds since 1970."""

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
        """Whether this is the first use, as far as the store, or else this host, can tell.

        Raises Unavailable when the database is unavailable and the memory is full.
        """
        noted = self._used.add(client, jti_digest, expires, self._clock())
        if noted is Noted.KNOWN:
            return False
        try:
            return self._store.first_use(client, jti_digest, expires, issued)
        except Unavailable:
            if noted is Noted.NO_ROOM:
                raise Unavailable(
                    "Tokens cannot be remembered.", "Try again in a minute."
                ) from None
            logs.logger(__name__).warning("replay_store_unavailable", reason="remembered here")
            return True


def _unnamed_file(size: int) -> int:
    """The descriptor of a file that is in no folder, and where the system can, on no disk."""
    if sys.platform == "linux":
        made = os.memfd_create("used-tokens")
    else:
        with TemporaryFile() as file:
            made = os.dup(file.fileno())
    os.truncate(made, size)
    return made
