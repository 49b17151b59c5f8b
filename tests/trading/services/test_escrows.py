"""Escrows and bonds: each fact acted on once and answered every time; each invariant broken on purpose and reported."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitbc.core.errors import Conflict, InsufficientFunds
from aitbc.core.money import fee_of
from apps.marketplace.events import (
    BondAsked,
    BondReleased,
    BookingClosed,
    BookingExtensionRequested,
    BookingMetered,
    BookingRequested,
)
from apps.trading.interface import available
from apps.trading.models import Bond, Escrow, LedgerAccount, Outbox, Transfer
from apps.trading.services import bonds, escrow_endings, escrows
from tests.marketplace.renting import reported
from tests.sabotage import sabotage
from tests.trading.factories import fees, funded

RENT = 1_000_000


def requested(renter: UUID, provider: UUID, amount: int = RENT, **more: Any) -> BookingRequested:
    given_ = {"booking_id": str(uuid4()), "bond": 0, "fee_bp": 300, **more}
    return BookingRequested(renter_id=str(renter), provider_id=str(provider), amount=amount, **given_)


def metered(fact: BookingRequested, seq: int, owed: int) -> BookingMetered:
    return BookingMetered(booking_id=fact.booking_id, seq=seq, amount=0, owed=owed, until="")


def closed(fact: BookingRequested, owed: int = 0, slices: int = 0, **more: Any) -> BookingClosed:
    given_ = {"outcome": "ended", "compensation": 0, "at": "", "miner_id": "", "gpu_ids": [], **more}
    return BookingClosed(
        booking_id=fact.booking_id, renter_id=fact.renter_id, provider_id=fact.provider_id, slices=slices, owed=owed,
        **given_,
    )  # fmt: skip


def told(fact: Any) -> list[str]:
    """The names of what trading said of a booking or bond to the marketplace, in order."""
    rows = Outbox.objects.filter(consumer="marketplace", key=fact.key).order_by("id")
    return [row.name.removeprefix("trading.").removesuffix(".v1") for row in rows]


def parts(fact: BookingRequested) -> tuple[int, ...]:
    escrow = Escrow.objects.get(booking_id=fact.booking_id)
    return escrow.amount, escrow.paid, escrow.fee, escrow.refunded


def in_escrow(fact: BookingRequested) -> int:
    return sum(a.balance for a in LedgerAccount.objects.filter(owner_id=fact.booking_id, kind="escrow"))


def test_the_money_goes_in_is_paid_by_slices_and_the_rest_comes_back():
    renter, provider = funded(RENT), uuid4()
    fact = requested(renter, provider)

    escrows.fund([fact])
    assert (available(renter), in_escrow(fact)) == (0, RENT)
    escrows.accrue([metered(fact, 1, 333_333)])
    escrows.accrue([metered(fact, 2, 500_001)])
    escrow_endings.close([closed(fact, owed=600_000, slices=3)])

    assert parts(fact) == (RENT, 582_000, 18_000, 400_000)
    assert (available(provider), fees(), available(renter), in_escrow(fact)) == (582_000, 18_000, 400_000, 0)
    assert told(fact) == ["escrow.held", "escrow.closed"]


def test_every_fact_twice_is_acted_on_once_and_answered_twice():
    renter, provider = funded(3 * RENT), funded(RENT)
    fact = requested(renter, provider, bond=400_000)
    more = BookingExtensionRequested(
        booking_id=fact.booking_id, extension_id=str(uuid4()), renter_id=fact.renter_id, amount=RENT
    )
    steps = [
        (escrows.fund, fact), (escrows.extend, more), (escrows.accrue, metered(fact, 1, 100)),
        (escrow_endings.close, closed(fact, owed=100, slices=1, compensation=50)),
    ]  # fmt: skip

    for act, event in steps:
        act([event])
        act([event])

    assert Transfer.objects.filter(ref=fact.booking_id).count() == 8  # 2 funds, accrue, fee, return, 3 of the bond
    assert parts(fact) == (2 * RENT, 97, 3, 2 * RENT - 100)
    assert told(fact) == ["escrow.held"] * 2 + ["escrow.extended"] * 2 + ["escrow.closed"] * 2
    for act, event in steps[:3]:  # and long after the end
        act([event])
    assert parts(fact) == (2 * RENT, 97, 3, 2 * RENT - 100)


def test_a_lost_slice_is_made_good_by_the_next_and_an_old_one_changes_nothing():
    fact = requested(funded(RENT), uuid4(), fee_bp=0)
    escrows.fund([fact])

    escrows.accrue([metered(fact, 3, 300)])
    escrows.accrue([metered(fact, 2, 200)])

    assert parts(fact) == (RENT, 300, 0, 0)


def test_who_cannot_pay_is_refused_and_neither_side_is_touched():
    poor, rich = funded(RENT - 1), funded(RENT)
    by_renter, by_provider = requested(poor, rich, bond=10), requested(rich, poor, bond=RENT)

    escrows.fund([by_renter, by_provider])
    escrows.fund([by_renter, by_provider])

    said = Outbox.objects.filter(consumer="marketplace", name="trading.escrow.refused.v1").order_by("id")
    assert [row.payload["party"] for row in said] == ["renter", "provider"] * 2
    assert (available(poor), available(rich)) == (RENT - 1, RENT)
    assert not Bond.objects.exists()


def test_in_one_batch_the_same_money_is_promised_once():
    renter = funded(RENT + RENT // 2)
    facts = [requested(renter, uuid4()) for _ in range(3)]

    escrows.fund(facts)

    assert sorted(Escrow.objects.values_list("state", flat=True)) == ["held", "refused", "refused"]


def test_a_booking_over_before_its_money_was_asked_for_takes_none():
    renter = funded(RENT)
    fact = requested(renter, uuid4())

    escrow_endings.close([closed(fact)])
    escrows.fund([fact])

    assert available(renter) == RENT
    assert told(fact) == ["escrow.closed", "escrow.closed"]


def test_a_refused_booking_is_closed_with_nothing():
    fact = requested(uuid4(), uuid4())
    escrows.fund([fact])

    escrow_endings.close([closed(fact)])

    assert told(fact) == ["escrow.refused", "escrow.closed"]


def test_an_extension_of_what_is_over_or_too_dear_is_refused_for_good():
    renter = funded(RENT)
    fact = requested(renter, uuid4())
    escrows.fund([fact])
    more = BookingExtensionRequested(
        booking_id=fact.booking_id, extension_id=str(uuid4()), renter_id=fact.renter_id, amount=1
    )

    escrows.extend([more])
    escrow_endings.close([closed(fact)])
    escrows.extend([more])  # there is money now, but it was said

    assert told(fact) == ["escrow.held", "escrow.extension_refused", "escrow.closed", "escrow.extension_refused"]
    assert available(renter) == RENT


def test_use_of_a_booking_nobody_paid_for_is_a_fault():
    with pytest.raises(Conflict):
        escrows.accrue([metered(requested(uuid4(), uuid4()), 1, 10)])


def test_more_than_was_set_aside_is_never_paid():
    fact = requested(funded(RENT), uuid4())
    escrows.fund([fact])

    with pytest.raises(InsufficientFunds):
        escrows.accrue([metered(fact, 1, RENT + 1)])


def test_a_bond_is_held_given_back_and_never_twice():
    owner = funded(RENT)
    ask = BondAsked(bond_id=str(uuid4()), owner_id=str(owner), amount=600_000)
    other = BondAsked(bond_id=str(uuid4()), owner_id=str(owner), amount=600_000)

    bonds.hold([ask, other])
    assert available(owner) == 400_000
    bonds.release([BondReleased(bond_id=ask.bond_id), BondReleased(bond_id=other.bond_id)])
    bonds.release([BondReleased(bond_id=ask.bond_id)])
    bonds.hold([ask])

    assert available(owner) == RENT
    assert sorted(Bond.objects.values_list("state", flat=True)) == ["refused", "released"]


def test_a_winning_bids_bond_goes_over_into_its_booking():
    provider, bid = funded(500_000), uuid4()
    bonds.hold([BondAsked(bond_id=str(bid), owner_id=str(provider), amount=500_000)])
    fact = requested(funded(RENT), provider, bond=500_000, bond_from=str(bid))

    escrows.fund([fact])

    assert available(provider) == 0
    assert {str(b.pk): b.state for b in Bond.objects.all()} == {str(bid): "released", fact.booking_id: "held"}


def test_a_bond_pays_the_one_who_was_let_down_and_the_rest_is_free_again():
    renter, provider = funded(RENT), funded(RENT)
    fact = requested(renter, provider, bond=700_000)
    escrows.fund([fact])

    escrow_endings.close([closed(fact, compensation=250_000, outcome="no_show")])

    assert (available(renter), available(provider)) == (RENT + 250_000, RENT - 250_000)
    bond = Bond.objects.get()
    assert (bond.state, bond.forfeited, bond.beneficiary_id) == ("forfeited", 250_000, renter)


@pytest.mark.no_db
@settings(deadline=None)
@given(amounts=st.lists(st.integers(1, 10_000_000), min_size=1, max_size=30), bp=st.integers(0, 1500))
def test_slices_cost_the_same_fee_as_the_whole(amounts, bp):
    escrow = Escrow(booking_id=uuid4(), renter_id=uuid4(), provider_id=uuid4(), amount=sum(amounts), fee_bp=bp)
    owed = 0

    for seq, amount in enumerate(amounts, 1):
        owed += amount
        moves = escrow_endings.paid_slices([(escrow, seq, owed)])
        assert sum(move.amount for move in moves) == amount
        assert all(move.amount > 0 for move in moves)

    assert (escrow.paid, escrow.fee) == (owed - fee_of(owed, bp), fee_of(owed, bp))


@pytest.fixture
def one_of_each():
    """An escrow that runs, one that is closed, a bond for a bid, one forfeited."""
    renter, provider = funded(5 * RENT), funded(5 * RENT)
    running, done = requested(renter, provider, bond=1000), requested(renter, provider, bond=1000)
    escrows.fund([running, done])
    escrows.accrue([metered(running, 1, 300_000)])
    escrow_endings.close([closed(done, owed=500_000, slices=1, compensation=400)])
    bonds.hold([BondAsked(bond_id=str(uuid4()), owner_id=str(provider), amount=777)])


ESCROWS, BONDS, TRANSFERS = (f"UPDATE trading_{table} SET" for table in ("escrow", "bond", "transfer"))
BREAKS = {
    "an escrow that paid more than it moved": ("T9", f"{ESCROWS} paid = paid + 1 WHERE state = 'held'"),
    "a closed escrow divided otherwise": (
        "T9", f"{ESCROWS} refunded = refunded - 1, fee = fee + 1 WHERE state = 'closed'",
    ),
    "an escrow larger than what went in": ("T9", f"{ESCROWS} amount = amount + 1 WHERE state = 'held'"),
    "a slice is gone": ("T9", "DELETE FROM trading_transfer WHERE code = 'accrue'"),
    "a fee is gone": ("T9", "DELETE FROM trading_transfer WHERE code = 'fee'"),
    "money of an escrow nobody knows": ("T9", "DELETE FROM trading_escrow"),
    "an account that holds something else": (
        "T9", "UPDATE trading_ledgeraccount SET posted_debits = posted_debits - 1 WHERE kind = 'escrow'",
    ),
    "a bond smaller than its hold": ("M5", f"{BONDS} amount = amount - 1 WHERE state = 'held'"),
    "a bond that ended without a word": ("M5", f"{BONDS} state = 'released' WHERE amount = 777"),
    "a bond that is gone": ("M5", "DELETE FROM trading_bond WHERE amount = 777"),
    "a forfeit that says too little": ("M5", f"{BONDS} forfeited = 1 WHERE state = 'forfeited'"),
    "money that stays on a bond account": (
        "M5", "UPDATE trading_ledgeraccount SET posted_credits = posted_credits + 1 WHERE kind = 'bond'",
    ),
    "a fee of nothing": ("I17", f"{TRANSFERS} ref = gen_random_uuid() WHERE code = 'fee'"),
    "money in fractions": ("I19", "ALTER TABLE trading_bond ALTER forfeited TYPE double precision"),
    "a guard is off": ("I20", "ALTER TABLE trading_escrow DISABLE TRIGGER trading_escrow_no_delete"),
}  # fmt: skip


def test_sound_escrows_and_bonds_are_reported_by_nobody(one_of_each):
    names = ["I12", "I13", "I14", "I15", "I16", "I17", "I19", "I20", "M5", "T9"]

    assert {name: reported(name) for name in names} == {name: [] for name in names}


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what, one_of_each):
    name, statement = BREAKS[what]

    sabotage(Escrow, statement)

    assert reported(name) != []
