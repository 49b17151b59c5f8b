"""Kinds of accounts and transfers; states and transitions of payments, escrows, bonds, reversals and withdrawals."""

from __future__ import annotations

from django.db.models import TextChoices

CURRENCY = "AIT"


class AccountKind(TextChoices):
    """The purpose of an account."""

    AVAILABLE = "available", "free to spend"
    ESCROW = "escrow", "passing through while a job is settled"
    BOND = "bond", "pledged as a bond"
    FEES = "fees", "fees of the exchange"
    TREASURY = "treasury", "treasury of the exchange"
    EXTERNAL = "external", "the world outside: deposits come from here"


#: Only these may be below zero: a CHECK constraint forbids it to every other account.
MAY_OWE = frozenset({AccountKind.EXTERNAL})


class Phase(TextChoices):
    """Which step of a one- or two-phase transfer this is (TigerBeetle's model)."""

    SINGLE = "single", "moves money at once"
    PENDING = "pending", "sets money aside until it is posted or voided"
    POST = "post", "resolves a pending transfer: moves this much, releases the rest"
    VOID = "void", "resolves a pending transfer: releases all of it"


class Code(TextChoices):
    """The reason of a transfer."""

    DEPOSIT = "deposit"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    PAYOUT = "payout"
    FEE = "fee"
    REVERSAL = "reversal"
    FUND = "fund", "into a booking's escrow"
    ACCRUE = "accrue", "a slice of a booking's use"
    RETURN = "return", "the rest of a booking's escrow"
    BOND = "bond", "pledged"
    COMPENSATE = "compensate", "from a bond to who was let down"
    WITHDRAWAL = "withdrawal", "out of the exchange"


class PaymentState(TextChoices):
    HELD = "held"
    REFUSED = "refused"
    SETTLED = "settled"
    REFUNDED = "refunded"


#: A payment is created held, refused or (of an unpaid job) settled: decision and row share a transaction.
PAYMENT_TRANSITIONS: dict[str, set[str]] = {
    PaymentState.HELD: {PaymentState.SETTLED, PaymentState.REFUNDED},
    PaymentState.REFUSED: set(),
    PaymentState.SETTLED: set(),
    PaymentState.REFUNDED: set(),
}


class EscrowState(TextChoices):
    HELD = "held"
    REFUSED = "refused"
    CLOSED = "closed"


ESCROW_TRANSITIONS: dict[str, set[str]] = {
    EscrowState.HELD: {EscrowState.CLOSED},
    EscrowState.REFUSED: set(),
    EscrowState.CLOSED: set(),
}


class BondState(TextChoices):
    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"
    FORFEITED = "forfeited"


BOND_TRANSITIONS: dict[str, set[str]] = {
    BondState.HELD: {BondState.RELEASED, BondState.FORFEITED},
    BondState.REFUSED: set(),
    BondState.RELEASED: set(),
    BondState.FORFEITED: set(),
}


class ReversalState(TextChoices):
    PROPOSED = "proposed", "waits for the second operator"
    POSTED = "posted"
    REJECTED = "rejected"
    EXPIRED = "expired"


REVERSAL_TRANSITIONS: dict[str, set[str]] = {
    ReversalState.PROPOSED: {ReversalState.POSTED, ReversalState.REJECTED, ReversalState.EXPIRED},
    ReversalState.POSTED: set(),
    ReversalState.REJECTED: set(),
    ReversalState.EXPIRED: set(),
}


class WithdrawalState(TextChoices):
    REQUESTED = "requested"
    PROPOSED = "proposed", "approved by the first operator of two"
    APPROVED = "approved"
    PAID = "paid"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: Approved, it may be on its way outside, so that neither its owner nor time ends it.
WITHDRAWAL_TRANSITIONS: dict[str, set[str]] = {
    WithdrawalState.REQUESTED: {
        WithdrawalState.PROPOSED, WithdrawalState.APPROVED, WithdrawalState.REJECTED, WithdrawalState.CANCELLED,
        WithdrawalState.EXPIRED,
    },
    WithdrawalState.PROPOSED: {
        WithdrawalState.APPROVED, WithdrawalState.REJECTED, WithdrawalState.CANCELLED, WithdrawalState.EXPIRED,
    },
    WithdrawalState.APPROVED: {WithdrawalState.PAID, WithdrawalState.REJECTED},
    WithdrawalState.PAID: set(),
    WithdrawalState.REJECTED: set(),
    WithdrawalState.CANCELLED: set(),
    WithdrawalState.EXPIRED: set(),
}  # fmt: skip
