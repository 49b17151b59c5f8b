"""A booking meets its miner: cards set aside, the miner's word, the renter's job on them, and free again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.states import begin
from apps.gpu.models import GPURegistry
from apps.marketplace.events import BookingClosed, BookingReserved, BookingStarted
from apps.marketplace.models import BookingSlice, GPUBooking, MarketplaceOffer
from apps.marketplace.states import BookingState, OfferState
from tests.flows.exchange import MINER, Exchange


class Market:
    """The marketplace's side of one booking, as it tells the others."""

    def __init__(self, exchange: Exchange):
        self.exchange = exchange
        self.card = GPURegistry.objects.get()
        now = timezone.now()
        offer = MarketplaceOffer(
            provider_id=self.card.owner_id, slots=[self.card.pk], backed=True, gpu_count=1, state=OfferState.OPEN,
            miner_id=self.card.miner_id, price_gpu_hour=1_000_000, base_price=1_000_000,
        )  # fmt: skip
        begin(offer, actor="test")
        self.booking = GPUBooking(
            offer=offer, renter_id=exchange.client.owner_id, provider_id=self.card.owner_id,
            miner_id=self.card.miner_id, state=BookingState.RESERVED, gpu_count=1, kind="ondemand", rate=1_000_000,
            price_gpu_hour=1_000_000, fee_bp=0, min_charge_s=0, starts_at=now, ends_at=now + timedelta(hours=1),
        )  # fmt: skip
        begin(self.booking, actor="test")
        BookingSlice.objects.create(
            booking=self.booking, slot=self.card.pk, period=(self.booking.starts_at, self.booking.ends_at)
        )

    def say(self, fact: type, **more: Any) -> None:
        same = {
            "booking_id": str(self.booking.pk), "renter_id": str(self.booking.renter_id),
            "provider_id": str(self.booking.provider_id), "miner_id": str(self.card.miner_id),
            "gpu_ids": [str(self.card.pk)],
        }  # fmt: skip
        with atomic(GPUBooking):
            emit(fact(**same, **more), by="marketplace")
        self.exchange.drain()

    def reserve(self) -> None:
        span = {name: getattr(self.booking, name).isoformat() for name in ("starts_at", "ends_at")}
        self.say(BookingReserved, **span)

    def begin(self) -> None:
        self.booking.advance(BookingState.ACTIVE, actor="test", activated_at=timezone.now())
        self.say(BookingStarted, at=timezone.now().isoformat())

    def close(self) -> None:
        self.booking.advance(BookingState.ENDED, actor="test", ended_at=timezone.now())
        at = timezone.now().isoformat()
        self.say(BookingClosed, outcome="ended", slices=0, owed=0, compensation=0, at=at)


@pytest.fixture
def market(exchange: Exchange) -> Market:
    exchange.register()
    return Market(exchange)


def beat(exchange: Exchange, **body: Any) -> Any:
    return exchange.miner.json("POST", "/gpu/v1/miners/heartbeat", body, status=200, x_miner_id=MINER)


def refused(exchange: Exchange, booking_id: UUID | str, **more: Any) -> str:
    body = {"task_type": "embedding", "payload": {"texts": ["a"]}, "constraints": {"booking_id": str(booking_id)}}
    problem = exchange.client.json("POST", "/ai/jobs", {**body, **more}, status=400)
    assert problem["errors"][0]["field"] == "constraints.booking_id"
    return str(problem["detail"])


def test_a_renters_job_runs_on_the_booked_card_and_nobody_elses_does(exchange: Exchange, market: Market):
    market.reserve()
    (told,) = beat(exchange)["bookings"]
    beat(exchange, bookings_ready=[told["booking_id"]])
    market.begin()
    assert GPURegistry.objects.get().state == "busy"
    others = exchange.submit(None)

    own = exchange.submit(None, constraints={"booking_id": str(market.booking.pk).upper(), "gpu_count": 1})

    work = exchange.poll()
    assert work["job_id"] == own["id"] and work["booking_id"] == str(market.booking.pk)
    assert exchange.poll() is None
    why = exchange.client.json("GET", f"/ai/jobs/{others['id']}/explain", status=200)
    assert {"booking_id"} <= {one["name"] for one in why["constraints"]}
    exchange.deliver(work, {"output": "x"})
    assert exchange.job(own)["state"] == "settled"
    market.close()
    assert GPURegistry.objects.get().state == "registered"
    assert exchange.poll()["job_id"] == others["id"]


def test_a_booking_that_does_not_run_takes_no_jobs(exchange: Exchange, market: Market):
    market.reserve()
    assert "reserved" in refused(exchange, market.booking.pk)
    market.begin()
    market.close()

    assert "ended" in refused(exchange, market.booking.pk)


def test_only_its_renter_may_name_a_booking_and_it_pays_for_the_job(exchange: Exchange, market: Market, api_for):
    market.reserve()
    market.begin()
    exchange.fund("10")

    assert "leave payment_amount out" in refused(exchange, market.booking.pk, payment_amount="1")
    other = {"booking_id": str(market.booking.pk), "miner_id": "0190f3c2-a4b8-7c1e-9d0f-5e6a7b8c9d0e"}
    assert str(market.card.miner_id) in refused(exchange, market.booking.pk, constraints=other)
    assert "no such booking" in refused(exchange, "0190f3c2-a4b8-7c1e-9d0f-5e6a7b8c9d0e")
    exchange.client = api_for("stranger", "client")
    assert "no such booking" in refused(exchange, market.booking.pk)
