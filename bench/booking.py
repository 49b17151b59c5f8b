"""Fifty at once for one slot, a thousand times over: one books it, forty-nine are refused.

Run with AITBC_DB_POOL=60 or more, so that fifty rivals have fifty connections.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID, uuid4

from django.db import OperationalError, connections
from django.utils import timezone

from aitbc.accounts.services import organisations
from aitbc.core.db import atomic
from aitbc.core.errors import DomainError
from aitbc.core.states import begin
from apps.marketplace.models import BookingSlice, MarketplaceOffer
from apps.marketplace.services import bookings
from apps.marketplace.states import OfferState
from apps.trading.services import deposits
from bench.report import Measurement
from bench.stack import migrated

ROUNDS = 1_000
RIVALS = 50
PRICE = 1_000_000


def run() -> Iterator[Measurement]:
    migrated()
    renters = [funded() for _ in range(RIVALS)]
    outcomes: Counter[str] = Counter()
    clean, took = 0, []
    with ThreadPoolExecutor(RIVALS) as pool:
        together = Barrier(RIVALS)
        list(pool.map(lambda _: connected(together), range(RIVALS)))
        started = time.perf_counter()
        for _ in range(ROUNDS):
            offer = offered()
            results = list(pool.map(lambda renter, o=offer: attempt(o, renter), renters))
            codes = Counter(code for code, _ in results)
            clean += codes == {"booked": 1, "slot_taken": RIVALS - 1} and sold_once(offer)
            outcomes += codes
            took += [seconds for _, seconds in results]
        seconds = time.perf_counter() - started
        list(pool.map(lambda _: connections.close_all(), range(RIVALS)))
    took.sort()
    note = ", ".join(f"{count} {code}" for code, count in sorted(outcomes.items()))
    yield Measurement(f"rounds of {RIVALS} for one slot with one winner", clean, f"of {ROUNDS}", f">= {ROUNDS}", note)
    yield Measurement("booking or refusal under 50 rivals, p50", 1000 * took[len(took) // 2], "ms")
    yield Measurement("booking or refusal under 50 rivals, p99", 1000 * took[int(len(took) * 0.99)], "ms")
    yield Measurement("bookings tried", RIVALS * ROUNDS / seconds, "/s")


def connected(together: Barrier) -> None:
    """Every rival opens its connections before the first round; a busy machine may need more than one try."""
    for alias in ("marketplace", "trading"):
        for _ in range(30):
            with contextlib.suppress(OperationalError):
                connections[alias].ensure_connection()
                break
    together.wait()


def attempt(offer: MarketplaceOffer, renter: UUID) -> tuple[str, float]:
    started = time.perf_counter()
    try:
        bookings.book(offer=offer, renter_id=renter, duration_s=3600, actor="bench")
        code = "booked"
    except DomainError as error:
        code = error.code
    return code, time.perf_counter() - started


def sold_once(offer: MarketplaceOffer) -> bool:
    return BookingSlice.objects.filter(slot=offer.slots[0], live=True).count() == 1


def funded() -> UUID:
    owner = organisations.named(f"bench {uuid4()}").pk
    deposits.deposit(owner_id=owner, amount=10**13, reason="bench", actor="bench")
    return owner


def offered() -> MarketplaceOffer:
    offer = MarketplaceOffer(
        provider_id=uuid4(), slots=[uuid4()], backed=False, gpu_count=1, price_gpu_hour=PRICE, base_price=PRICE,
        state=OfferState.OPEN, gpu_model="bench", rentable=True, available_from=timezone.now() - timedelta(hours=1),
    )  # fmt: skip
    with atomic(MarketplaceOffer):
        begin(offer, actor="bench")
    return offer
