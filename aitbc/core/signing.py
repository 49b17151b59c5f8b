"""Ed25519 signatures over canonical JSON, and the ring of keys the exchange signs with.

The ring is one file, KEYS_DIR/ring.json (0600), made on first use and replaced as a whole under a lock file, so that
any number of processes may start at once; or it comes from AITBC_SIGNING_KEYS, which holds that file's text.
Every public key is published with its window and is signed by itself: neither can be changed unnoticed.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from aitbc.core.signatures import ALG, KEY_TAG, b64, key_id_of, message, stamp, unb64
from aitbc.settings.env import env

__all__ = [
    "ALG",
    "KEY_TAG",
    "Key",
    "b64",
    "current",
    "find",
    "key_id_of",
    "message",
    "published_keys",
    "ring",
    "rotate",
    "sign",
    "stamp",
    "unb64",
    "verify",
]

#: A key is valid a little before it was made: the machines' clocks differ.
SKEW = timedelta(minutes=10)
#: After a rotation the old key still verifies what was signed while the news spread.
OVERLAP = timedelta(hours=1)


@dataclass(frozen=True)
class Key:
    """A signing key and the window in which it is to be believed."""

    seed: bytes
    not_before: datetime
    not_after: datetime | None = None

    @cached_property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    @cached_property
    def key_id(self) -> str:
        return key_id_of(self.public)

    def valid(self, at: datetime) -> bool:
        return self.not_before <= at and (self.not_after is None or at < self.not_after)

    def sign(self, tag: str, body: Any) -> dict[str, str]:
        return {"alg": ALG, "key_id": self.key_id, "sig": b64(self.private.sign(message(tag, body)))}

    def published(self) -> dict[str, Any]:
        """The public half with its window, signed by itself."""
        body = {
            "alg": ALG,
            "key_id": self.key_id,
            "public_key": b64(self.public),
            "not_before": stamp(self.not_before),
            "not_after": stamp(self.not_after) if self.not_after else None,
        }
        return {**body, "sig": b64(self.private.sign(message(KEY_TAG, body)))}

    def stored(self) -> dict[str, Any]:
        window = {"not_before": stamp(self.not_before), "not_after": stamp(self.not_after) if self.not_after else None}
        return {"seed": b64(self.seed), **window}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Key:
        until = stored.get("not_after")
        since = datetime.fromisoformat(stored["not_before"])
        return cls(unb64(stored["seed"]), since, datetime.fromisoformat(until) if until else None)

    @classmethod
    def new(cls, not_before: datetime) -> Key:
        return cls(Ed25519PrivateKey.generate().private_bytes_raw(), not_before)


def sign(tag: str, body: Any) -> dict[str, str]:
    """Sign a JSON body with the present key: {alg, key_id, sig}. The tag names the kind of document and its version."""
    return current().sign(tag, body)


def verify(tag: str, body: Any, signature: Mapping[str, Any], *, at: datetime | None = None) -> bool:
    """Whether this body was signed for this tag by a key of ours, one that was valid at `at` if that is not None."""
    key = find(str(signature.get("key_id", "")))
    if key is None or signature.get("alg") != ALG or (at is not None and not key.valid(at)):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(unb64(str(signature.get("sig"))), message(tag, body))
    except (InvalidSignature, ValueError):
        return False
    return True


def current() -> Key:
    """The key to sign with now: the newest one whose window is open."""
    now = datetime.now(UTC)
    usable = [key for key in ring() if key.valid(now)]
    if not usable:
        raise RuntimeError("no signing key is valid now: run `manage.py signing_key rotate`")
    return max(usable, key=lambda key: key.not_before)


def find(key_id: str) -> Key | None:
    """The key of this name, retired ones included."""
    return next((key for key in ring() if key.key_id == key_id), None)


def published_keys() -> dict[str, Any]:
    """The document served at /.well-known/aitbc-keys.json: every key ever used, oldest first."""
    return {"v": 1, "keys": [key.published() for key in ring()]}


def rotate(*, now: datetime | None = None) -> tuple[Key, Key]:
    """Make a new key, in use at once; the old ones' windows close after an overlap. Returns (old, new)."""
    if env.str("AITBC_SIGNING_KEYS", ""):
        raise RuntimeError("the keys come from AITBC_SIGNING_KEYS: rotate them there")
    moment = now or datetime.now(UTC)
    ring()
    with _locked() as path:
        keys = _read(path.read_text())
        fresh = Key.new(moment)
        ends = moment + OVERLAP
        kept = [key if key.not_after else Key(key.seed, key.not_before, ends) for key in keys]
        _write(path, [*kept, fresh])
    return kept[-1], fresh


def ring() -> tuple[Key, ...]:
    """All keys, oldest first; read again whenever the file was replaced."""
    configured = env.str("AITBC_SIGNING_KEYS", "")
    if configured:
        return _read(configured)
    path = Path(settings.KEYS_DIR) / "ring.json"
    try:
        found = path.stat()
    except FileNotFoundError:
        _create()
        found = path.stat()
    return _load(str(path), found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=4)
def _load(path: str, inode: int, modified: int) -> tuple[Key, ...]:
    return _read(Path(path).read_text())


@lru_cache(maxsize=4)
def _read(text: str) -> tuple[Key, ...]:
    keys = [Key.of(stored) for stored in json.loads(text)["keys"]]
    return tuple(sorted(keys, key=lambda key: key.not_before))


def _create() -> None:
    with _locked() as path:
        if not path.exists():
            _write(path, [Key.new(datetime.now(UTC) - SKEW)])


@contextmanager
def _locked() -> Iterator[Path]:
    """Hold the folder's lock file, and so be the only one who writes the ring."""
    folder = Path(settings.KEYS_DIR)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / "ring.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder / "ring.json"
    finally:
        os.close(handle)


def _write(path: Path, keys: list[Key]) -> None:
    """Replace the ring whole: a reader sees the old one or the new one, also after a power cut."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix="ring-")  # mkstemp makes it 0600
    with os.fdopen(handle, "w") as file:
        json.dump({"v": 1, "keys": [key.stored() for key in keys]}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
