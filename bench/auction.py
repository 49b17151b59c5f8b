"""An auction of 200 bids: cleared with its proof, its booking and its facts, and computed again offline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

from django.db import connections

from aitbc.accounts.services import organisations
from aitbc.core import signing
from aitbc.core.db import atomic
from aitbc.core.states import begin
from apps.marketplace.logic import award_proof
from apps.marketplace.models import Award, MarketplaceBid, MarketplaceDemand, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.services import auction_clearing, bids, demands
from apps.marketplace.states import AuctionFormat, BidState, OfferState
from apps.trading.services import deposits
from bench.report import Measurement
from bench.stack import migrated

BIDS = 200
ROUNDS = 5
AIT = 1_000_000


def run() -> Iterator[Measurement]:
    migrated()
    times = [cleared(number) for number in range(ROUNDS)]
    note = "constraints of both sides, a filter, proof, booking, 199 bonds"
    yield Measurement(f"an auction of {BIDS} bids cleared, worst of {ROUNDS}", max(times), "s", "<= 1", note)
    award = Award.objects.latest("created_at")
    document = {"proof": award.proof, "digest": award.digest, "signature": award.signature}
    started = time.perf_counter()
    checks = list(award_proof.verify(document, signing.published_keys()))
    yield Measurement("its proof computed again", 1000 * (time.perf_counter() - started), "ms", "", checks[1])
    connections["marketplace"].close()


def cleared(number: int) -> float:
    """Seconds for one clearing: eligibility of all bids both ways, scores, proof, signature, booking, losers."""
    demand = auction_of_many(number)
    MarketplaceDemand.objects.filter(pk=demand.pk).update(closes_at=clock.now() - timedelta(minutes=1))
    started = time.perf_counter()
    state = auction_clearing.clear(demand.pk)
    seconds = time.perf_counter() - started
    assert state == "awarded", state
    return seconds


def auction_of_many(number: int) -> MarketplaceDemand:
    renter = organisations.named("bench-renter").pk
    deposits.deposit(owner_id=renter, amount=1000 * AIT, reason="bench", actor="operator:bench")
    demand = demands.create(
        renter_id=renter, actor="bench", budget_hour=10 * AIT, duration_s=3600, gpu_count=1, region="eu",
        auction=AuctionFormat.SECOND_SCORE, closes_at=clock.now() + timedelta(hours=1), filter="gpu_ram>=16 AND dph<9",
        constraints="offer.benchmark >= 50 && (!has(provider.rating) || provider.rating >= 3)",
    )  # fmt: skip
    with atomic(MarketplaceOffer):
        offers = [an_offer(place) for place in range(BIDS)]
        begin(*offers, actor="bench")
        found = [bids.new_bid(demand, o, o.provider_id, (place % 97 + 1) * AIT // 10) for place, o in enumerate(offers)]
        for bid in found:
            bid.state, bid.bond = BidState.OPEN, AIT
        begin(*found, actor="bench")
    assert MarketplaceBid.objects.filter(demand=demand).count() == BIDS
    return demand


def an_offer(place: int) -> MarketplaceOffer:
    return MarketplaceOffer(
        provider_id=uuid4(), slots=[uuid4()], backed=False, gpu_count=1, price_gpu_hour=AIT, base_price=AIT,
        state=OfferState.OPEN, gpu_model="GeForce RTX 4090", gpu_name="GeForce RTX 4090", memory_mb=24_576,
        region="eu-de", rentable=True, verified=True, benchmark=60.0 + place, reliability=0.5 + place / 500,
        available_from=clock.now() - timedelta(hours=1),
        constraints=f"renter.bookings >= 0 && demand.duration_hours <= {place + 1}",
    )  # fmt: skip
