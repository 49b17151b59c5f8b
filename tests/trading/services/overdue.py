"""Overdue payments, escrows and bonds, whose jobs, bookings and bids are over, and decisions that nobody made."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from apps.marketplace.events import BondRequested
from apps.marketplace.models import MarketplaceBid
from apps.marketplace.services import bids, bookings
from apps.trading.models import Bond, Escrow, IdempotencyRecord, Payment, Reversal, Withdrawal
from apps.trading.services import bonds, escrows, payments
from tests.clients import Api
from tests.marketplace import bidding, renting
from tests.owners import operator
from tests.sweeping import Cases, StateReaders, ago, lose_messages, set_columns
from tests.trading.factories import RENT, booking_requested, funded, submitted
from tests.trading.reversing import BIG, deposited, propose
from tests.trading.withdrawing import decide, withdrawal


def held_payment() -> Iterator[Payment]:
    payments.hold([submitted(funded(RENT), RENT)])
    lose_messages("trading")
    payment = Payment.objects.get()
    yield payment
    set_columns(payment, due_at=ago(seconds=1))


def held_escrow() -> Iterator[Escrow]:
    booking = renting.running(renting.rentable(), renting.funded())
    bookings.end(booking=booking, actor="test")
    lose_messages("marketplace")
    escrow = Escrow.objects.get()
    yield escrow
    set_columns(escrow, created_at=ago(minutes=2))
    set_columns(booking, ended_at=ago(minutes=2))


def escrow_of_nothing() -> Iterator[Escrow]:
    """The marketplace does not know its booking."""
    escrows.fund([booking_requested(funded(RENT), funded(RENT), bond=1)])
    lose_messages("trading")
    escrow = Escrow.objects.get()
    yield escrow
    set_columns(escrow, created_at=ago(days=8))


def held_bond() -> Iterator[Bond]:
    provider = bidding.provider()
    demand = bidding.demand(bidding.renter())
    made = bidding.bid(provider, demand, bidding.offer_of(provider), "1")
    bids.withdraw(bid=MarketplaceBid.objects.get(pk=made["id"]), actor="test")
    lose_messages("marketplace")
    bond = Bond.objects.get()
    yield bond
    set_columns(bond, created_at=ago(minutes=2))


def bond_of_nothing() -> Iterator[Bond]:
    """The marketplace does not know its bid."""
    bonds.hold([BondRequested(bond_id=str(uuid4()), owner_id=str(funded(RENT)), amount=RENT)])
    lose_messages("trading")
    bond = Bond.objects.get()
    yield bond
    set_columns(bond, created_at=ago(days=8))


def stored_answer() -> Iterator[IdempotencyRecord]:
    caller = Api(owner="operator", scopes=("operator",))
    body = {"owner_id": str(caller.owner_id), "amount": "1", "reason": "test"}
    caller.json("POST", "/trading/v1/deposits", body, status=201, idempotency_key="k")
    record = IdempotencyRecord.objects.get()
    yield record
    set_columns(record, created_at=ago(hours=49))


def proposed_reversal() -> Iterator[Reversal]:
    row = propose(deposited(BIG), operator("alice"))
    yield row
    set_columns(row, due_at=ago(seconds=1))


def requested_withdrawal() -> Iterator[Withdrawal]:
    row = withdrawal(BIG)
    yield row
    set_columns(row, due_at=ago(seconds=1))


def proposed_withdrawal() -> Iterator[Withdrawal]:
    row = withdrawal(BIG)
    decide(operator("alice"), row, "approve")
    row.refresh_from_db()
    yield row
    set_columns(row, due_at=ago(seconds=1))


CASES: Cases = {
    "trading.Payment": {"held": held_payment},
    "trading.Escrow": {"held": held_escrow, "held, its booking is unknown": escrow_of_nothing},
    "trading.Bond": {"held": held_bond, "held, its bid is unknown": bond_of_nothing},
    "trading.Reversal": {"proposed": proposed_reversal},
    "trading.Withdrawal": {"requested": requested_withdrawal, "proposed": proposed_withdrawal},
    "trading.IdempotencyRecord": {"stored": stored_answer},
}
STATES: StateReaders = {"trading.IdempotencyRecord": lambda record: "stored"}
