"""Whether an order comes from the exchange: Ed25519 over canonical JSON, by a key that the exchange publishes."""

import base64
from collections.abc import Callable
from typing import Any

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ORDER_TAG = "aitbc.order.v1"


class Keyring:
    """The exchange's public keys, fetched when an unknown one is named."""

    def __init__(self, fetch: Callable[[], Any]):
        self._fetch = fetch
        self._keys: dict[str, bytes] = {}

    def signed(self, body: Any, signature: Any, tag: str = ORDER_TAG) -> bool:
        """Tell whether the exchange signed this body."""
        told = signature if isinstance(signature, dict) else {}
        key = self._key(str(told.get("key_id")))
        if key is None or told.get("alg") != "Ed25519":
            return False
        try:
            message = tag.encode() + b"\n" + rfc8785.dumps(body)
            Ed25519PublicKey.from_public_bytes(key).verify(_unb64(str(told.get("sig"))), message)
        except (InvalidSignature, ValueError, rfc8785.CanonicalizationError):
            return False
        return True

    def _key(self, key_id: str) -> bytes | None:
        if key_id not in self._keys:
            published = self._fetch().get("keys", [])
            self._keys = {str(key["key_id"]): _unb64(key["public_key"]) for key in published}
        return self._keys.get(key_id)


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
