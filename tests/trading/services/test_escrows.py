"""Escrows of bookings: each fact acted on once and answered every time."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitbc.core.errors import Conflict, InsufficientFunds
from aitbc.core.money import fee_of
from apps.marketplace.events import (
    BookingExtensionRequested,
    BookingRequested,
)
from apps.trading.interface import available
from apps.trading.models import Bond, Escrow, LedgerAccount, Outbox, Transfer
from apps.trading.services import escrow_endings, escrows
from tests.trading.factories import RENT, booking_closed, booking_metered, booking_requested, funded
from tests.trading.inspection import fees, published_to_marketplace


def parts(fact: BookingRequested) -> tuple[int, ...]:
    escrow = Escrow.objects.get(booking_id=fact.booking_id)
    return escrow.amount, escrow.paid, escrow.fee, escrow.refunded


def in_escrow(fact: BookingRequested) -> int:
    return sum(a.balance for a in LedgerAccount.objects.filter(owner_id=fact.booking_id, kind="escrow"))


def test_the_money_goes_in_is_paid_by_slices_and_the_rest_comes_back():
    renter, provider = funded(RENT), uuid4()
    fact = booking_requested(renter, provider)

    escrows.fund([fact])
    assert (available(renter), in_escrow(fact)) == (0, RENT)
    escrows.accrue([booking_metered(fact, 1, 333_333)])
    escrows.accrue([booking_metered(fact, 2, 500_001)])
    escrow_endings.close([booking_closed(fact, owed=600_000, slices=3)])

    assert parts(fact) == (RENT, 582_000, 18_000, 400_000)
    assert (available(provider), fees(), available(renter), in_escrow(fact)) == (582_000, 18_000, 400_000, 0)
    assert published_to_marketplace(fact) == ["escrow.held", "escrow.closed"]


def test_every_fact_twice_is_acted_on_once_and_answered_twice():
    renter, provider = funded(3 * RENT), funded(RENT)
    fact = booking_requested(renter, provider, bond=400_000)
    more = BookingExtensionRequested(
        booking_id=fact.booking_id, extension_id=str(uuid4()), renter_id=fact.renter_id, amount=RENT
    )
    steps = [
        (escrows.fund, fact), (escrows.extend, more), (escrows.accrue, booking_metered(fact, 1, 100)),
        (escrow_endings.close, booking_closed(fact, owed=100, slices=1, compensation=50)),
    ]  # fmt: skip

    for act, event in steps:
        act([event])
        act([event])

    assert Transfer.objects.filter(ref=fact.booking_id).count() == 5  # 2 funds, accrue, fee, return
    assert Transfer.objects.filter(ref=Bond.objects.get(pk=fact.booking_id).ref).count() == 3
    assert parts(fact) == (2 * RENT, 97, 3, 2 * RENT - 100)
    assert published_to_marketplace(fact) == ["escrow.held"] * 2 + ["escrow.extended"] * 2 + ["escrow.closed"] * 2
    for act, event in steps[:3]:  # and long after the end
        act([event])
    assert parts(fact) == (2 * RENT, 97, 3, 2 * RENT - 100)


def test_a_lost_slice_is_made_good_by_the_next_and_a_late_one_changes_nothing():
    fact = booking_requested(funded(RENT), uuid4(), fee_bp=0)
    escrows.fund([fact])

    escrows.accrue([booking_metered(fact, 3, 300)])
    escrows.accrue([booking_metered(fact, 2, 200)])

    assert parts(fact) == (RENT, 300, 0, 0)


def test_who_cannot_pay_is_refused_and_neither_side_is_touched():
    poor, rich = funded(RENT - 1), funded(RENT)
    by_renter, by_provider = booking_requested(poor, rich, bond=10), booking_requested(rich, poor, bond=RENT)

    escrows.fund([by_renter, by_provider])
    escrows.fund([by_renter, by_provider])

    refusals = Outbox.objects.filter(consumer="marketplace", name="trading.escrow.refused.v1").order_by("id")
    assert [row.payload["party"] for row in refusals] == ["renter", "provider"] * 2
    assert (available(poor), available(rich)) == (RENT - 1, RENT)
    assert not Bond.objects.exists()


def test_in_one_batch_the_same_money_is_promised_once():
    renter = funded(RENT + RENT // 2)
    facts = [booking_requested(renter, uuid4()) for _ in range(3)]

    escrows.fund(facts)

    assert sorted(Escrow.objects.values_list("state", flat=True)) == ["held", "refused", "refused"]


def test_a_booking_that_ends_before_it_is_funded_takes_no_money():
    renter = funded(RENT)
    fact = booking_requested(renter, uuid4())

    escrow_endings.close([booking_closed(fact)])
    escrows.fund([fact])

    assert available(renter) == RENT
    assert published_to_marketplace(fact) == ["escrow.closed", "escrow.closed"]


def test_a_refused_booking_is_closed_with_nothing():
    fact = booking_requested(uuid4(), uuid4())
    escrows.fund([fact])

    escrow_endings.close([booking_closed(fact)])

    assert published_to_marketplace(fact) == ["escrow.refused", "escrow.closed"]


def test_an_extension_of_what_is_over_or_too_dear_is_refused_for_good():
    renter = funded(RENT)
    fact = booking_requested(renter, uuid4())
    escrows.fund([fact])
    more = BookingExtensionRequested(
        booking_id=fact.booking_id, extension_id=str(uuid4()), renter_id=fact.renter_id, amount=1
    )

    escrows.extend([more])
    escrow_endings.close([booking_closed(fact)])
    escrows.extend([more])  # there is money now, but the refusal stands

    assert published_to_marketplace(fact) == [
        "escrow.held",
        "escrow.extension_refused",
        "escrow.closed",
        "escrow.extension_refused",
    ]
    assert available(renter) == RENT


def test_use_of_a_booking_nobody_paid_for_is_a_fault():
    with pytest.raises(Conflict):
        escrows.accrue([booking_metered(booking_requested(uuid4(), uuid4()), 1, 10)])


def test_more_than_was_set_aside_is_never_paid():
    fact = booking_requested(funded(RENT), uuid4())
    escrows.fund([fact])

    with pytest.raises(InsufficientFunds):
        escrows.accrue([booking_metered(fact, 1, RENT + 1)])


@pytest.mark.no_db
@settings(deadline=None)
@given(amounts=st.lists(st.integers(1, 10_000_000), min_size=1, max_size=30), bp=st.integers(0, 1500))
def test_slices_cost_the_same_fee_as_the_whole(amounts, bp):
    escrow = Escrow(booking_id=uuid4(), renter_id=uuid4(), provider_id=uuid4(), amount=sum(amounts), fee_bp=bp)
    owed = 0

    for seq, amount in enumerate(amounts, 1):
        owed += amount
        transfers = escrow_endings.transfers_of(escrow_endings.paid_slices([(escrow, seq, owed)]))
        assert sum(transfer.amount for transfer in transfers) == amount
        assert all(transfer.amount > 0 for transfer in transfers)

    assert (escrow.paid, escrow.fee) == (owed - fee_of(owed, bp), fee_of(owed, bp))
