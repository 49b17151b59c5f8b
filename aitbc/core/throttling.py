"""How much one caller, and all callers together, may ask for.

Windows of ten seconds are counted in Valkey. A process takes its allowance in slices, so that most requests ask nobody;
without Valkey each process counts alone.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from rest_framework.throttling import BaseThrottle

from aitbc.core.long_polling import is_internal, is_replay

WINDOW = 10  # seconds
SLICES = 50
REDIS_PAUSE = 1.0  # how long a process counts alone after Valkey failed

logger = logging.getLogger("aitbc.throttles")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests per window; the name is the setting."""

    name: str

    @property
    def amount(self) -> int:
        return int(settings.AITBC_LIMITS[self.name])


BAD_KEYS = Limit("bad_keys")
GLOBAL = Limit("global")


@dataclass(frozen=True, slots=True)
class Spent:
    """Whether a request was within its limit, and what is left of the window."""

    allowed: bool
    limit: int
    remaining: int
    reset: float


@dataclass(slots=True)
class _Slice:
    granted: int = 0
    used: int = 0
    total: int = 0  # what all processes had taken when this one last asked
    exhausted: bool = False


_slices: dict[str, _Slice] = {}
_window = 0
_lock = threading.Lock()
_client: redis.Redis | None = None
_alone_until = 0.0


def spend(name: str, limit: Limit) -> Spent:
    """Count one request against a named bucket."""
    amount, now = limit.amount, time.time()
    window = int(now // WINDOW)
    with _lock:
        _turn(window)
        part = _slices.setdefault(name, _Slice())
        if part.used >= part.granted and not part.exhausted:
            _take(part, f"aitbc:limit:{name}:{window}", max(1, amount // SLICES), amount)
        allowed = part.used < part.granted
        part.used += allowed
        # Others may have taken more since this process last asked: the figure is an upper bound.
        remaining = max(0, amount - part.total + part.granted - part.used) if allowed else 0
    return Spent(allowed, amount, min(amount, remaining), (window + 1) * WINDOW - now)


def forget() -> None:
    """Start counting afresh in this process (tests)."""
    global _window, _alone_until
    with _lock:
        _slices.clear()
        _window, _alone_until = 0, 0.0


def _turn(window: int) -> None:
    global _window
    if window != _window:
        _slices.clear()
        _window = window


def _take(part: _Slice, key: str, size: int, amount: int) -> None:
    before = _taken_before(key, size)
    part.total = (part.granted if before is None else before) + size
    got = min(size, max(0, amount - part.total + size))
    part.granted += got
    part.exhausted = got == 0


def _taken_before(key: str, size: int) -> int | None:
    """What everybody had taken of this window before us; None while Valkey does not answer."""
    global _alone_until
    if time.monotonic() < _alone_until:
        return None
    try:
        with _redis().pipeline(transaction=False) as pipe:
            pipe.incrby(key, size)
            pipe.expire(key, 2 * WINDOW)
            total, _ = pipe.execute()
    except (redis.RedisError, OSError) as error:
        logger.warning("counting requests without Valkey: %s", error)
        _alone_until = time.monotonic() + REDIS_PAUSE
        return None
    return int(total) - size


def _redis() -> redis.Redis:
    global _client
    if _client is None:
        url = settings.REDIS_URL.replace("redis+socket://", "unix://")
        _client = redis.Redis.from_url(url, socket_timeout=0.1, socket_connect_timeout=0.1)
    return _client


class ActorThrottle(BaseThrottle):
    """One bucket per owner (per address without a key) and one for everybody."""

    def allow_request(self, request: Any, view: Any) -> bool:
        if is_replay(request) or is_internal(request):
            return True
        own = spend(*_bucket(request))
        everybody = spend("all", GLOBAL) if own.allowed else own
        self.tightest = min(own, everybody, key=lambda spent: spent.remaining)
        request.limit_headers = {
            "RateLimit-Limit": str(own.limit),
            "RateLimit-Remaining": str(own.remaining),
            "RateLimit-Reset": str(max(1, round(own.reset))),
        }
        return everybody.allowed

    def wait(self) -> float:
        return self.tightest.reset


def caller_network(request: Any) -> str:
    """Return what limits of callers without a key count by: the address, of IPv6 its /64, which is one customer's."""
    text = str(request.META.get("REMOTE_ADDR", ""))
    if ":" not in text:
        return text
    try:
        return str(ipaddress.ip_network((text.partition("%")[0], 64), strict=False))
    except ValueError:
        return text


def _bucket(request: Any) -> tuple[str, Limit]:
    actor = request.user
    if not actor.is_authenticated:
        return f"from:{caller_network(request)}", Limit("anonymous")
    kind = next((scope for scope in ("operator", "miner") if actor.may(scope)), "actor")
    return f"{kind}:{actor.pk}", Limit(kind)
