"""Reputation follows how leases ended."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.ai.events import InputJudged, JobWithdrawn
from apps.gpu.models import Lease, Miner
from apps.gpu.services import lease_expiry, queue, reputation
from tests.clients import Api
from tests.gpu.factories import M, ago


def test_reputation_follows_what_was_promised(held: str, miner_api: Api) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    lease_expiry.expire_leases()

    assert reputation.judge_reputation() == 1
    assert Miner.objects.get().reputation == 400


@pytest.fixture
def claimed(held: str, miner_api: Api) -> str:
    """A job whose miner says that its input is bad."""
    miner_api.json("POST", f"{M}/{held}/fail", {"code": "BAD_INPUT"}, status=200)
    return held


def test_a_claim_of_bad_input_counts_neither_way_until_it_is_decided(claimed: str) -> None:
    assert reputation.judge_reputation() == 0
    assert Miner.objects.get().reputation == 500


@pytest.mark.parametrize(("bad", "expected"), [(True, 600), (False, 400)])
def test_a_decided_claim_weighs_on_its_miner_at_once(claimed: str, bad: bool, expected: int) -> None:
    Lease.objects.update(ended_at=ago(86_400), granted_at=ago(86_500))

    reputation.record_verdicts([InputJudged(job_id=claimed, attempts=[1], bad=bad)])

    assert Lease.objects.get().claim_upheld is bad
    assert Miner.objects.get().reputation == expected


def test_a_miners_own_word_that_it_was_cancelled_is_a_failure_unless_the_job_was_withdrawn(
    held: str, miner_api: Api, enqueue: Callable[..., str]
) -> None:
    miner_api.json("POST", f"{M}/{held}/fail", {"code": "CANCELLED"}, status=200)
    withdrawn = enqueue()
    miner_api.json("POST", f"{M}/poll", {}, status=200)
    queue.withdraw([JobWithdrawn(job_id=withdrawn, reason="cancelled")])
    miner_api.json("POST", f"{M}/{withdrawn}/fail", {"code": "CANCELLED"}, status=200)

    reputation.judge_reputation()

    assert Miner.objects.get().reputation == 400
