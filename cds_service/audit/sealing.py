"""Encryption to a public key: the writer of the audit trail cannot read it.

The scheme is hybrid, built from the ``cryptography`` package: X25519 with a key pair that lives
for a minute, HKDF-SHA256 over the shared secret, ChaCha20-Poly1305 with a random nonce.
A sealed record is::

    4 bytes  "CDA1"
    32       the short-lived public key
    12       nonce
    rest     encrypted zlib-compressed content and its tag, bound to the record's id

The short-lived private key is discarded as soon as the shared secret has been computed. That
secret stays in the memory of the process while it is used; nothing on disk can open a record.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cds_service.errors import BadRequest, StartupError

SETTING = "CDS_AUDIT_KEY"
_PREFIX = "cds-audit:"
_MAGIC = b"CDA1"
_NONCE = 12
_SECONDS = 60.0
_HEAD = len(_MAGIC) + 32
_REMEDY = "Make a key pair with `cds-service audit keygen`, and set the public key."


class _Short(NamedTuple):
    """A short-lived key: the public key, the cipher, and when it expires (seconds of the clock)."""

    public: bytes
    cipher: ChaCha20Poly1305
    expires: float


class Sealer:
    """Encrypts records to ``public``; safe for threads and forks.

    ``clock()`` gives monotonic seconds.
    """

    def __init__(
        self, public: X25519PublicKey, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._public = public
        self._clock = clock
        self._short = self._new()

    def seal(self, content: bytes, record: str) -> bytes:
        """``content``, readable only with the private key and only under the id ``record``."""
        short = self._short
        if self._clock() >= short.expires:
            short = self._short = self._new()
        nonce = os.urandom(_NONCE)
        sealed = short.cipher.encrypt(nonce, _compressed(content), record.encode())
        return b"".join((_MAGIC, short.public, nonce, sealed))

    def _new(self) -> _Short:
        private = X25519PrivateKey.generate()
        public = private.public_key().public_bytes_raw()
        key = _key(private.exchange(self._public), public, self._public.public_bytes_raw())
        return _Short(public, ChaCha20Poly1305(key), self._clock() + _SECONDS)


def _compressed(content: bytes) -> bytes:
    # A small window and hash table: setting up the default ones takes longer than compressing.
    compress = zlib.compressobj(1, zlib.DEFLATED, 13, 5)
    return compress.compress(content) + compress.flush()


def open_sealed(sealed: bytes, record: str, private: X25519PrivateKey) -> bytes:
    """The content that was given to `Sealer.seal`.

    Raises BadRequest for another key, another record id, or bytes that were changed.
    """
    head, nonce, rest = sealed[:_HEAD], sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE :]
    if not head.startswith(_MAGIC) or len(nonce) < _NONCE:
        raise BadRequest(
            "The record was not sealed by this program, or has been changed.", "", record
        )
    public = head[len(_MAGIC) :]
    try:
        secret = private.exchange(X25519PublicKey.from_public_bytes(public))
        key = _key(secret, public, private.public_key().public_bytes_raw())
        return zlib.decompress(ChaCha20Poly1305(key).decrypt(nonce, rest, record.encode()))
    except (InvalidTag, ValueError, zlib.error):
        raise BadRequest(
            "The record cannot be opened.",
            "Give the private key (--key) of the pair that was in use when it was written.",
            record,
        ) from None


def _key(secret: bytes, short: bytes, recipient: bytes) -> bytes:
    derivation = HKDF(hashes.SHA256(), 32, salt=short + recipient, info=b"cds-service audit 1")
    return derivation.derive(secret)


def new_pair() -> tuple[str, str]:
    """A new key pair: the private key as PEM, the public key as one line for the setting."""
    private = X25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return pem, _PREFIX + base64.b64encode(private.public_key().public_bytes_raw()).decode()


def read_public(setting: str) -> X25519PublicKey:
    """The public key in CDS_AUDIT_KEY: the line that `new_pair` makes, or the path of a file
    with that line or a PEM.

    Raises StartupError, also for a private key: the service must not be able to read its trail.
    """
    text = setting.strip()
    if not text.startswith(_PREFIX):
        try:
            text = Path(text).read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            raise StartupError(
                f"{SETTING} is neither a public key nor a file that can be read.", _REMEDY
            ) from None
    if "PRIVATE KEY" in text:
        raise StartupError(
            f"{SETTING} holds a private key, with which the service could read its own trail.",
            "Set the public key, and keep the private key elsewhere.",
        )
    try:
        if text.startswith(_PREFIX):
            raw = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
            return X25519PublicKey.from_public_bytes(raw)
        key = serialization.load_pem_public_key(text.encode())
    except (ValueError, binascii.Error, UnsupportedAlgorithm):
        raise StartupError(f"{SETTING} is not a public key.", _REMEDY) from None
    if not isinstance(key, X25519PublicKey):
        raise StartupError(f"{SETTING} is not an X25519 key.", _REMEDY)
    return key


def read_private(path: Path) -> X25519PrivateKey:
    """The private key in the PEM file at ``path``.

    Raises BadRequest where the file cannot be read or is not an X25519 private key.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BadRequest(
            f"{path} cannot be read: {error.strerror}.", "Name the private key."
        ) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadRequest(
            f"{path} is not a private key in PEM format.", "Name the private key."
        ) from None
    if not isinstance(key, X25519PrivateKey):
        raise BadRequest(f"{path} is not an X25519 key.", "Name the audit trail's private key.")
    return key
