"""API keys: shown once, kept as a digest, looked up through a cache that forgets within a second."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError
from django.db.models import Q
from django.utils import timezone
from psycopg_pool import PoolTimeout

from aitbc.accounts.actors import Actor
from aitbc.accounts.errors import Banned, KeyInvalid, ScopesInvalid
from aitbc.accounts.models import ApiKey, Organisation, User
from aitbc.accounts.scopes import Scope
from aitbc.accounts.services import audit, organisations
from aitbc.core.db import atomic

SHAPE = re.compile(r"aitbc_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
FRESH_SECONDS = 0.8  # a revocation is seen everywhere within a second
STALE_SECONDS = 30.0  # how long a verified key outlives the accounts database
NOTED_EVERY = timedelta(minutes=1)
CACHE_SIZE = 20_000


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look-up found, and when (monotonic seconds); a ban is remembered like anything else."""

    digest: bytes
    actor: Actor
    banned: bool
    expires_at: datetime | None
    at: float


_verified: dict[str, Verified] = {}
_lock = threading.Lock()


def create(
    owner: Organisation | User,
    scopes: Iterable[str],
    name: str,
    expires_at: datetime | None = None,
    *,
    actor: object = "system",
) -> tuple[ApiKey, str]:
    """Make a key for an owner; the second value is the secret, which is never seen again."""
    requested = sorted(set(scopes))
    if not requested or set(requested) - set(Scope.values):
        raise ScopesInvalid(f"Choose from {', '.join(Scope.values)}.")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    text = f"aitbc_{prefix}_{secret}"
    with atomic(ApiKey):
        organisation = owner if isinstance(owner, Organisation) else organisations.personal(owner)
        key = ApiKey.objects.create(
            organisation=organisation,
            user=owner if isinstance(owner, User) else None,
            name=name,
            prefix=prefix,
            digest=_digest(text),
            scopes=requested,
            expires_at=expires_at,
        )
        audit.record(actor=actor, action="key.create", subject=key.pk, detail={"scopes": requested, "prefix": prefix})
    return key, text


def revoke(*, prefix: str, actor: object = "system", reason: str = "") -> bool:
    """End a key; False when it is unknown or ended already."""
    with atomic(ApiKey):
        ended = ApiKey.objects.filter(prefix=prefix, revoked_at__isnull=True).update(revoked_at=timezone.now())
        if ended:
            audit.record(actor=actor, action="key.revoke", subject=prefix, reason=reason)
    _verified.pop(prefix, None)
    return bool(ended)


def verify(text: str) -> Actor:
    """The actor behind a key; raises KeyInvalid (401), Banned (403), or the database's error when nothing is known."""
    shape = SHAPE.fullmatch(text)
    if shape is None:
        raise KeyInvalid()
    known = _known(shape[1])
    # The comparison also runs for an unknown prefix, so that time tells nothing.
    if not hmac.compare_digest(known.digest if known else b"\0" * 32, _digest(text)) or known is None:
        raise KeyInvalid()
    if known.expires_at is not None and known.expires_at <= timezone.now():
        raise KeyInvalid()
    if known.banned:
        raise Banned()
    return known.actor


def forget() -> None:
    """Empty this process's cache (tests, and after a restore)."""
    _verified.clear()


def _known(prefix: str) -> Verified | None:
    cached = _verified.get(prefix)
    now = time.monotonic()
    if cached is not None and now - cached.at < FRESH_SECONDS:
        return cached
    try:
        found = _look_up(prefix, now)
    except (DatabaseError, InterfaceError, PoolTimeout):
        # Only an outage of the accounts database lets an older answer stand, and not for long.
        if cached is not None and now - cached.at < STALE_SECONDS:
            return cached
        raise
    _remember(prefix, found)
    return found


def _look_up(prefix: str, now: float) -> Verified | None:
    live = ApiKey.objects.live().exclude(user__is_active=False)  # who was deactivated acts no more
    key = live.select_related("organisation").filter(prefix=prefix).first()
    if key is None:
        return None
    _note_use(key)
    owner = key.organisation
    actor = Actor(
        pk=owner.pk,
        user_id=key.user_id,
        key_id=key.pk,
        key_prefix=key.prefix,
        scopes=frozenset(key.scopes),
        name=owner.name,
    )
    return Verified(bytes(key.digest), actor, owner.banned_at is not None, key.expires_at, now)


def _remember(prefix: str, found: Verified | None) -> None:
    with _lock:
        if found is None:
            _verified.pop(prefix, None)
            return
        if len(_verified) >= CACHE_SIZE:
            _verified.clear()
        _verified[prefix] = found


def _note_use(key: ApiKey) -> None:
    moment = timezone.now()
    if key.last_used_at is not None and moment - key.last_used_at < NOTED_EVERY:
        return
    seldom = Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment - NOTED_EVERY)
    ApiKey.objects.filter(seldom, pk=key.pk).update(last_used_at=moment)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
