"""T10, broken on purpose and reported."""

from __future__ import annotations

from apps.trading.models import Transfer
from tests.sabotage import sabotage
from tests.trading.factories import funded
from tests.trading.inspection import reported


def test_a_deposit_for_nobody_is_reported(db: None) -> None:
    funded(1)
    assert reported("T10") == []

    sabotage(Transfer, "UPDATE trading_ledgeraccount SET owner_id = gen_random_uuid() WHERE kind = 'available'")

    assert len(reported("T10")) == 1
