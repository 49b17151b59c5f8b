"""Whether a command comes from the exchange: Ed25519 over canonical JSON (RFC 8032, RFC 8785)."""

import base64
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COMMAND_TAG = "aitbc.order.v1"  # the first line of the signed message; part of the protocol


class Keyring:
    """The exchange's public keys by id; fetched again when a signature names an unknown id."""

    def __init__(self, fetch: Callable[[], Any]):
        self._fetch = fetch
        self._keys: dict[str, bytes] = {}

    def verify(self, body: Any, signature: Any, tag: str = COMMAND_TAG) -> bool:
        """Return whether the signature `{alg, key_id, sig}` is the exchange's over this body."""
        members = signature if isinstance(signature, dict) else {}
        key = self._key(str(members.get("key_id")))
        if key is None or members.get("alg") != "Ed25519":
            return False
        try:
            message = tag.encode() + b"\n" + rfc8785.dumps(body)
            Ed25519PublicKey.from_public_bytes(key).verify(_decoded(str(members.get("sig"))), message)
        except (InvalidSignature, ValueError, RecursionError, rfc8785.CanonicalizationError):
            return False
        return True

    def _key(self, key_id: str) -> bytes | None:
        if key_id not in self._keys:
            published = self._fetch().get("keys")
            self._keys = dict(_parsed(published if isinstance(published, list) else []))
        return self._keys.get(key_id)


def _parsed(published: list[Any]) -> Iterator[tuple[str, bytes]]:
    """Yield id and bytes of each key; one that cannot be parsed does not hide the others."""
    for key in published:
        with suppress(TypeError, LookupError, ValueError):
            yield str(key["key_id"]), _decoded(str(key["public_key"]))


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
