"""A booking and its miner: GPUs reserved, reported ready, running the renter's job, and released."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from apps.gpu.models import GPURegistry
from tests.flows.exchange import MINER, Exchange

MARKET = "/marketplace/v1/marketplace"


class Market:
    """An offered GPU and one booking of it, through the API."""

    def __init__(self, exchange: Exchange):
        self.exchange = exchange
        exchange.fund("100")
        exchange.drain()  # the fact that the GPU is registered reaches the marketplace
        self.gpu = GPURegistry.objects.get()
        terms = {"gpu_ids": [str(self.gpu.pk)], "price_gpu_hour": "1"}
        self.offer = exchange.miner.json("POST", f"{MARKET}/offers", terms, status=201)
        self.booking: dict[str, Any] = {}

    def reserve(self) -> None:
        body = {"offer_id": self.offer["id"], "duration_s": 3600}
        self.booking = self.exchange.client.json("POST", f"{MARKET}/bookings", body, status=201)
        self.exchange.drain()

    @property
    def id(self) -> str:
        return str(self.booking["id"])

    def begin(self) -> None:
        """The miner reports with a heartbeat that it is ready."""
        beat(self.exchange, bookings_ready=[self.id])
        self.exchange.drain()

    def close(self) -> None:
        self.exchange.client.json("POST", f"{MARKET}/bookings/{self.id}/end", {}, status=200)
        self.exchange.drain()

    def state(self) -> str:
        return str(self.exchange.client.json("GET", f"{MARKET}/bookings/{self.id}", status=200)["state"])


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


def test_a_renters_job_runs_on_the_booked_gpu_and_nobody_elses_does(exchange: Exchange, market: Market):
    market.reserve()
    (reported,) = beat(exchange)["bookings"]
    assert (reported["booking_id"], reported["ready"]) == (market.id, False)
    market.begin()
    assert (GPURegistry.objects.get().state, market.state()) == ("busy", "active")
    others = exchange.submit(None)

    own = exchange.submit(None, constraints={"booking_id": market.id.upper(), "gpu_count": 1})

    work = exchange.poll()
    assert work["job_id"] == own["id"] and work["booking_id"] == market.id
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
    assert "provisioning" in refused(exchange, market.id)
    market.begin()
    market.close()

    assert "settled" in refused(exchange, market.id)


def test_only_its_renter_may_name_a_booking_and_it_pays_for_the_job(exchange: Exchange, market: Market, api_for):
    market.reserve()
    market.begin()

    assert "leave payment_amount out" in refused(exchange, market.id, payment_amount="1")
    other = {"booking_id": market.id, "miner_id": "0190f3c2-a4b8-7c1e-9d0f-5e6a7b8c9d0e"}
    assert str(market.gpu.miner_id) in refused(exchange, market.id, constraints=other)
    assert "no such booking" in refused(exchange, "0190f3c2-a4b8-7c1e-9d0f-5e6a7b8c9d0e")
    exchange.client = api_for("stranger", "client")
    assert "no such booking" in refused(exchange, market.id)
