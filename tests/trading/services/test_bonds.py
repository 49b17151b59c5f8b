"""Bonds: held, released, forfeited; never twice."""

from __future__ import annotations

from uuid import uuid4

from apps.marketplace.events import (
    BondReleased,
    BondRequested,
)
from apps.trading.interface import available
from apps.trading.models import Bond
from apps.trading.services import bonds, escrow_endings, escrows
from tests.trading.factories import RENT, booking_closed, booking_requested, funded


def test_a_bond_is_held_given_back_and_never_twice():
    owner = funded(RENT)
    request = BondRequested(bond_id=str(uuid4()), owner_id=str(owner), amount=600_000)
    other = BondRequested(bond_id=str(uuid4()), owner_id=str(owner), amount=600_000)

    bonds.hold([request, other])
    assert available(owner) == 400_000
    bonds.release([BondReleased(bond_id=request.bond_id), BondReleased(bond_id=other.bond_id)])
    bonds.release([BondReleased(bond_id=request.bond_id)])
    bonds.hold([request])

    assert available(owner) == RENT
    assert sorted(Bond.objects.values_list("state", flat=True)) == ["refused", "released"]


def test_a_winning_bids_bond_goes_over_into_its_booking():
    provider, bid = funded(500_000), uuid4()
    bonds.hold([BondRequested(bond_id=str(bid), owner_id=str(provider), amount=500_000)])
    fact = booking_requested(funded(RENT), provider, bond=500_000, bond_from=str(bid))

    escrows.fund([fact])

    assert available(provider) == 0
    assert {str(b.pk): b.state for b in Bond.objects.all()} == {str(bid): "released", fact.booking_id: "held"}


def test_a_bond_pays_the_one_who_was_let_down_and_the_rest_is_free_again():
    renter, provider = funded(RENT), funded(RENT)
    fact = booking_requested(renter, provider, bond=700_000)
    escrows.fund([fact])

    escrow_endings.close([booking_closed(fact, compensation=250_000, outcome="no_show")])

    assert (available(renter), available(provider)) == (RENT + 250_000, RENT - 250_000)
    bond = Bond.objects.get()
    assert (bond.state, bond.forfeited, bond.beneficiary_id) == ("forfeited", 250_000, renter)
