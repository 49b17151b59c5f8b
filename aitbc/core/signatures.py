"""The form of what is signed: bytes, names and spellings. Pure: no Django, so that a proof can be checked anywhere."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

from aitbc.core import canonical

ALG = "Ed25519"
KEY_TAG = "aitbc.key.v1"


def b64(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The reverse; raises ValueError for any spelling b64() would not have chosen."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64(data) != text:
        raise ValueError("not base64url in its one canonical spelling")
    return data


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC, milliseconds, as signed documents write it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def message(tag: str, body: Any) -> bytes:
    """What is signed: the tag keeps a signature on one kind of document from passing for another kind."""
    return tag.encode("ascii") + b"\n" + canonical.encode(body)


def key_id_of(public: bytes) -> str:
    """A key's name is a hash of it: a changed key cannot keep its name."""
    return hashlib.sha256(public).hexdigest()[:32]
