"""A miner that says an input is bad: the exchange's schema, a second owner, or nobody agrees."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from apps.ai.models import AIJob, InputClaim
from apps.gpu.models import Lease, Miner, RequirementClass
from apps.gpu.services import queue, reputation
from tests.flows.exchange import Exchange
from tests.flows.test_job_life import make_due

FUNDS = 10
HELD = Decimal(1)  # at 3.6 AIT an hour the miner earns 0.001 AIT a second


@pytest.fixture
def first(exchange):
    """An owner with a miner, and a client with money."""
    exchange.fund(str(FUNDS))
    exchange.register()
    return exchange


@pytest.fixture
def second(exchange, other_miner_api, drain):
    """Another owner with a miner like it."""
    other = Exchange(exchange.client, other_miner_api, exchange.operator, drain)
    other.register()
    return other


def take(owner: Exchange, seconds: int = 0):
    """The next job for this owner's miner, which then has run for so many seconds."""
    make_due()
    queue.wake_due()
    work = owner.poll()
    if work:
        leases, ago = Lease.objects.of_job(work["job_id"]), timedelta(seconds=seconds)
        leases.live().update(granted_at=F("granted_at") - ago)
        leases.exclude(state="leased").update(granted_at=F("granted_at") - ago, ended_at=F("ended_at") - ago)
    return work


def money(owner: Exchange) -> Decimal:
    return Decimal(owner.balance(owner.miner)["available"])


def verdicts() -> list[str]:
    return list(InputClaim.objects.order_by("attempt").values_list("verdict", flat=True))


def reputation_of(owner: Exchange) -> int:
    reputation.judge_reputation()
    return Miner.objects.get(owner_id=owner.miner.owner_id).reputation


def test_a_claim_alone_is_a_retry_and_costs_nothing(first, second):
    job = first.submit("1")
    first.fail(take(first, 600), "BAD_INPUT")

    assert (first.job(job)["state"], verdicts()) == ("queued", ["open"])
    assert money(first) == 0
    assert reputation_of(first) == 500
    first.client.json("POST", f"/ai/jobs/{job['id']}/cancel", status=200)
    first.drain()
    assert Decimal(first.balance(first.client)["available"]) == FUNDS


def test_who_made_the_claim_does_not_get_the_job_again_while_another_owner_may_check_it(first, second):
    first.submit("1")
    first.fail(take(first), "BAD_INPUT")

    assert take(first) is None
    assert take(second)["attempt"] == 2


def test_a_second_owner_that_agrees_ends_the_job_for_the_shorter_of_the_two_times(first, second):
    job = first.submit("1")
    first.fail(take(first, 20), "BAD_INPUT")
    second.fail(take(second, 600), "BAD_INPUT")

    ended = first.job(job)
    assert (ended["state"], ended["outcome"], verdicts()) == ("failed", "bad_input", ["upheld", "upheld"])
    cost = Decimal(ended["paid"]) + Decimal(ended["fee"])
    assert Decimal("0.02") <= cost < Decimal("0.1")
    assert Decimal(ended["refunded"]) == HELD - cost
    assert (money(first), money(second)) == (0, Decimal(ended["paid"]))
    assert (reputation_of(first), reputation_of(second)) == (600, 600)


def test_a_result_refutes_the_claim_and_the_miner_who_made_it_is_judged(first, second):
    job = first.submit("1")
    first.fail(take(first, 600), "BAD_INPUT")
    second.deliver(take(second), {"output": "x"})

    assert (first.job(job)["state"], verdicts()) == ("settled", ["refuted"])
    assert money(first) == 0
    assert (reputation_of(first), reputation_of(second)) == (400, 600)


def test_another_miner_of_the_same_owner_does_not_count(first):
    """Nobody else is there: the owner gets its job again, until the attempts are used up."""
    job = first.submit("1", max_attempts=3)
    for _ in range(3):
        first.fail(take(first, 600), "BAD_INPUT")

    ended = first.job(job)
    assert (ended["state"], ended["outcome"], ended["refunded"]) == ("dead", "bad_input_unproven", "1.000000")
    assert verdicts() == ["open", "open", "open"]
    assert (money(first), Decimal(first.balance(first.client)["available"])) == (0, FUNDS)
    assert take(first) is None


def test_claims_without_agreement_end_with_a_full_refund(first, second):
    job = first.submit("1", max_attempts=2)
    first.fail(take(first, 600), "BAD_INPUT")
    second.fail(take(second, 600), "ENGINE_ERROR")

    ended = first.job(job)
    assert (ended["state"], ended["outcome"], ended["refunded"]) == ("dead", "engine_error", "1.000000")
    assert (money(first), money(second)) == (0, 0)


@pytest.mark.parametrize("size", [0, 70_000])
def test_a_claim_that_the_exchange_can_check_itself_ends_the_job_for_a_few_seconds_at_most(first, size):
    """However long the miner took to say what it saw at once; the payload may be a stored one."""
    job = first.submit("1", payload={"texts": [], "note": "x" * size})
    first.fail(take(first, 600), "BAD_INPUT")

    ended = AIJob.objects.get(pk=job["id"])
    assert (ended.state, ended.outcome, ended.attempt) == ("failed", "bad_input", 1)
    assert ended.paid + ended.fee == 10_000  # ten seconds
    assert reputation_of(first) == 600


def test_a_quick_claim_is_paid_by_the_meter(first):
    job = first.submit("1", payload={"texts": []})
    first.fail(take(first, 2), "BAD_INPUT")

    ended = first.job(job)
    assert Decimal("0.002") <= Decimal(ended["paid"]) + Decimal(ended["fee"]) < Decimal("0.01")


def test_an_upheld_claim_upholds_the_earlier_ones_of_the_same_owner(first, second):
    """Both of the first owner's claims came while nobody else was there."""
    Miner.objects.filter(owner_id=second.miner.owner_id).update(state="offline")
    first.submit("1", max_attempts=3)
    first.fail(take(first, 30), "BAD_INPUT")
    first.fail(take(first, 60), "BAD_INPUT")
    assert verdicts() == ["open", "open"]

    second.register()
    Miner.objects.filter(owner_id=first.miner.owner_id).update(state="offline")
    second.fail(take(second, 600), "BAD_INPUT")

    assert verdicts() == ["upheld"] * 3


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("fail", {"code": "bad-input", "message": "no"}),
        ("fail", {"error": {"code": "BAD_INPUT", "message": "no"}}),
        ("result", {"result": {"status": "failed", "error": "no", "code": "BAD_INPUT"}}),
        ("result", {"result": {"error_code": "BAD_INPUT"}, "success": False}),
    ],
)
def test_every_way_to_say_so_is_the_same_claim(first, path, body):
    job = first.submit("1", max_attempts=1)
    work = take(first, 600)

    first.miner.json("POST", f"/gpu/v1/miners/{work['job_id']}/{path}", body, status=200, x_miner_id="rig-1")
    first.drain()

    assert (first.job(job)["state"], first.job(job)["refunded"], verdicts()) == ("dead", "1.000000", ["open"])


def test_nobody_learns_whose_claim_is_being_checked(first, second):
    job = first.submit("1")
    first.fail(take(first), "BAD_INPUT")

    assert RequirementClass.objects.filter(requirement__has_key="excluded_owners").count() == 1
    for part in ("", "/explain", "/events"):
        assert str(first.miner.owner_id) not in first.client.get(f"/ai/jobs/{job['id']}{part}").content.decode()
