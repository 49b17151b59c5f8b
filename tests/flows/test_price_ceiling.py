"""What a paid job without a max_price may cost at most: the market's median says."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import OperationalError

from apps.gpu.models import Miner
from apps.gpu.services.market_rates import MARKET_RATES
from tests.clients import Api

REGISTER = "/gpu/v1/miners/register"
FORTUNE = 9 * 10**12  # AIT per hour, the most a bigint of micro-AIT holds


@pytest.fixture
def market(exchange):
    """Three owners who offer a GPU at 1, 2 and 3 AIT an hour."""
    exchange.fund("100")
    for n in (1, 2, 3):
        offer(Api(owner=f"owner-{n}", scopes=("miner",)), price=str(n), miner_id=f"rig-{n}")
    return exchange


def offer(owner: Api, *, price: str, miner_id: str = "rig", gpu: str = "RTX 4090", status: int = 200):
    capabilities = {"price": price, "gpus": [{"name": gpu, "memory_mb": 24_564}]}
    return owner.json("POST", REGISTER, {"capabilities": capabilities, "miner_id": miner_id}, status=status)


def ceiling_of(job) -> tuple[str | None, str]:
    return job["max_price"], job["max_price_source"]


def test_a_paid_job_without_a_ceiling_gets_three_times_the_median(market):
    job = market.submit("1")

    assert ceiling_of(job) == ceiling_of(market.job(job)) == ("6.000000", "market")
    listed = market.client.json("GET", "/ai/jobs", status=200)["items"]
    assert [ceiling_of(one) for one in listed] == [("6.000000", "market")]


def test_the_clients_own_ceiling_stands(market):
    assert ceiling_of(market.submit("1", constraints={"max_price": "50"})) == ("50.000000", "client")
    assert ceiling_of(market.submit(None, constraints={"max_price": "0.456"})) == ("0.450000", "client")


def test_an_unpaid_job_needs_none(market):
    assert ceiling_of(market.submit(None)) == (None, "")


def test_a_miner_above_the_ceiling_does_not_get_the_job_and_explain_says_so(market):
    owner = Api(owner="dear", scopes=("miner",))
    offer(owner, price="1000", miner_id="dear")
    job = market.submit("1")

    assert owner.json("POST", "/gpu/v1/miners/poll", {"miner_id": "dear"}) is None
    explained = market.client.json("GET", f"/ai/jobs/{job['id']}/explain", status=200)
    (price,) = [one for one in explained["constraints"] if one["name"] == "max_price"]
    assert (explained["online_miners"], price["pass"], price["if_relaxed"]) == (4, 3, 4)


def test_one_owner_with_many_miners_does_not_move_the_median(market):
    owner = Api(owner="many", scopes=("miner",))
    for n in range(20):
        offer(owner, price="1000", miner_id=f"many-{n}")

    assert ceiling_of(market.submit("1")) == ("7.500000", "market")  # of 1, 2, 3 and 1000


def test_a_kind_has_its_own_median_unless_nobody_offers_it(market):
    for n in (10, 20, 30):
        offer(Api(owner=f"big-{n}", scopes=("miner",)), price=str(n), gpu="H200", miner_id=f"big-{n}")

    assert ceiling_of(market.submit("1", constraints={"gpu": "h200"})) == ("60.000000", "market")
    assert ceiling_of(market.submit("1", constraints={"gpu": "rtx 4090"})) == ("6.000000", "market")
    assert ceiling_of(market.submit("1", constraints={"gpu": "tpu"})) == ("20.000000", "market")  # of all: 6.5


def test_a_kind_of_one_owner_does_not_go_above_the_default(market):
    offer(Api(owner="alone", scopes=("miner",)), price="900", gpu="H200", miner_id="alone")

    assert ceiling_of(market.submit("1", constraints={"gpu": "H200"})) == ("10.000000", "market")


def test_without_any_miner_the_parameter_decides(exchange):
    exchange.fund("10")

    assert ceiling_of(exchange.submit("1")) == ("10.000000", "market")


def test_the_only_miner_cannot_take_a_hold_in_a_moment(exchange):
    exchange.fund("10")
    exchange.register(price="1000")
    exchange.submit("1")

    assert exchange.poll() is None


@pytest.mark.parametrize("price", [str(FORTUNE), FORTUNE, "1000.000001"])
def test_a_registered_price_has_an_upper_bound(exchange, price):
    problem = offer(exchange.miner, price=price, status=400)

    assert "at most 1000.000000" in problem["detail"]
    assert not Miner.objects.exists()
    exchange.register()
    body = {"capabilities": {"price": price}}
    assert exchange.miner.put("/gpu/v1/miners/rig-1/capabilities", body).status_code == 400
    assert Miner.objects.get().price == 3_600_000


def test_submitting_reads_the_prices_once_and_goes_on_without_gpu(market, django_assert_num_queries, monkeypatch):
    market.submit("1")
    with django_assert_num_queries(0, using="gpu"):
        market.client.json("POST", "/ai/jobs", {"task_type": "embedding", "payment_amount": "1"}, status=201)

    MARKET_RATES.forget()

    def unreachable(model: object) -> None:
        raise OperationalError("gpu is away")

    monkeypatch.setattr("apps.gpu.services.market_rates.cursor", unreachable)
    body = {"task_type": "embedding", "payment_amount": "1"}
    away = market.client.json("POST", "/ai/jobs", body, status=201)
    assert ceiling_of(away) == ("10.000000", "market")


def test_what_a_job_costs_is_its_rate_times_its_time(market):
    job = market.submit("1")
    owner = Api(owner="owner-3", scopes=("miner",))
    work = owner.json("POST", "/gpu/v1/miners/poll", {"miner_id": "rig-3"}, status=200)
    owner.json("POST", f"/gpu/v1/miners/{work['job_id']}/result", {"result": "x", "miner_id": "rig-3"}, status=200)
    market.drain()

    settled, result = market.job(job), market.client.json("GET", f"/ai/jobs/{job['id']}/result", status=200)
    cost = Decimal(settled["paid"]) + Decimal(settled["fee"])
    assert int(cost * 1_000_000) == 3_000_000 * result["metered_ms"] // 3_600_000
