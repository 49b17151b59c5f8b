"""What tests of trading start from."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from apps.trading.services import payments
from tests.trading.factories import completed, funded, submitted


@pytest.fixture
def paid_job(db: None) -> Callable[[], UUID]:
    """A job that was held for, done, paid and receipted; call it for another one."""

    def make(amount: int = 1_000_000) -> UUID:
        job = submitted(funded(amount), amount)
        payments.hold([job])
        payments.settle([completed(job, uuid4())])
        return UUID(job.job_id)

    return make
