"""Pseudonyms: what an owner, miner or bidder is called where everybody may read, without saying who it is."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from django.conf import settings

DIGITS = 24


def alias(role: str, *ids: UUID) -> str:
    """Return the pseudonym `<role>_<24 hex digits>` of these ids: HMAC-SHA-256 under ALIAS_KEY.

    It is the same for as long as the key is, and nobody without the key can compute it from the ids.
    """
    message = "\n".join([role, *map(str, ids)])
    return f"{role}_{hmac.new(settings.ALIAS_KEY.encode(), message.encode(), hashlib.sha256).hexdigest()[:DIGITS]}"
