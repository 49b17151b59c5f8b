"""Reputation follows how leases ended."""

from __future__ import annotations

from apps.gpu.models import Lease, Miner
from apps.gpu.services import lease_expiry, reputation
from tests.clients import Api
from tests.gpu.factories import ago


def test_reputation_follows_what_was_promised(held: str, miner_api: Api) -> None:
    Lease.objects.filter(job_id=held).update(lease_until=ago(1))
    lease_expiry.expire_leases()

    assert reputation.judge_reputation() == 1
    assert Miner.objects.get().reputation == 400
