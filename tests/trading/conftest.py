"""Paid jobs, blocks and bundles for the tests of trading."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from apps.trading.models import Block
from apps.trading.selectors import receipts
from apps.trading.services import log, payments
from tests.trading.factories import completed, funded, issued, logged, submitted


@pytest.fixture
def paid_job(db: None) -> Callable[[], UUID]:
    """Make a job that is held, done, paid and has its receipt; returns its id."""

    def make(amount: int = 1_000_000) -> UUID:
        job = submitted(funded(amount), amount)
        payments.hold([job])
        payments.settle([completed(job, uuid4())])
        return UUID(job.job_id)

    return make


@pytest.fixture
def api(anonymous_api):
    """Anybody, no key."""
    return anonymous_api


@pytest.fixture
def chain(db) -> list[Block]:
    """Three blocks of 2, 3 and 4 entries; the second holds a receipt."""
    sealed = []
    for count, receipt_count in ((2, 0), (2, 1), (4, 0)):
        logged(count)
        issued(receipt_count)
        sealed += log.seal()
    return sealed


@pytest.fixture
def bundle(db: None) -> dict[str, Any]:
    """A receipt in the second block, amid other entries."""
    logged(3)
    log.seal()
    receipt = issued(2)[1]
    logged(3)
    log.seal()
    return json.loads(json.dumps(receipts.bundle(receipt, opened=True)))  # type: ignore[no-any-return]
