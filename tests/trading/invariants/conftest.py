"""Escrows and bonds in every state, for the tests that damage them."""

from __future__ import annotations

from uuid import uuid4

import pytest

from apps.marketplace.events import (
    BondRequested,
)
from apps.trading.services import bonds, escrow_endings, escrows
from tests.trading.factories import RENT, booking_closed, booking_metered, booking_requested, funded


@pytest.fixture
def one_of_each():
    """An escrow that runs, one that is closed, a bond for a bid, one forfeited."""
    renter, provider = funded(5 * RENT), funded(5 * RENT)
    running, done = booking_requested(renter, provider, bond=1000), booking_requested(renter, provider, bond=1000)
    escrows.fund([running, done])
    escrows.accrue([booking_metered(running, 1, 300_000)])
    escrow_endings.close([booking_closed(done, owed=500_000, slices=1, compensation=400)])
    bonds.hold([BondRequested(bond_id=str(uuid4()), owner_id=str(provider), amount=777)])
