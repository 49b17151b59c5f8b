"""Facts the trading domain publishes about money, receipts and sealed blocks; amounts are micro-AIT."""

from __future__ import annotations

from dataclasses import dataclass

from aitbc.core.messaging import Event


@dataclass(frozen=True, kw_only=True)
class PaymentHeld(Event):
    """The client's money for a job is set aside."""

    NAME = "trading.payment.held.v1"
    KEY = "job_id"
    job_id: str
    payment_id: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class PaymentRefused(Event):
    """The client cannot pay for the job."""

    NAME = "trading.payment.refused.v1"
    KEY = "job_id"
    job_id: str
    needed: int
    available: int


@dataclass(frozen=True, kw_only=True)
class PaymentRefunded(Event):
    """The payment of a job that ended without a result: what was owed is paid, the rest is released."""

    NAME = "trading.payment.refunded.v1"
    KEY = "job_id"
    job_id: str
    payment_id: str
    refunded: int
    paid: int  # to the provider, after the fee
    fee: int = 0


@dataclass(frozen=True, kw_only=True)
class ReceiptIssued(Event):
    """A job is paid for and its signed receipt exists."""

    NAME = "trading.receipt.issued.v1"
    KEY = "job_id"
    job_id: str
    receipt_id: str
    paid: int  # to the provider, after the fee
    fee: int
    refunded: int


@dataclass(frozen=True, kw_only=True)
class BlockSealed(Event):
    """A block of the transparency log was signed."""

    NAME = "trading.block.sealed.v1"
    KEY = "height"
    height: str
    block_hash: str
    tree_size: int


@dataclass(frozen=True, kw_only=True)
class EscrowHeld(Event):
    """The renter's money for a booking is set aside, and the provider's bond if one was required."""

    NAME = "trading.escrow.held.v1"
    KEY = "booking_id"
    booking_id: str
    amount: int
    bond: int


@dataclass(frozen=True, kw_only=True)
class EscrowRefused(Event):
    """One of the two parties of a booking cannot pay; nothing was set aside."""

    NAME = "trading.escrow.refused.v1"
    KEY = "booking_id"
    booking_id: str
    party: str  # renter | provider
    needed: int
    available: int


@dataclass(frozen=True, kw_only=True)
class EscrowExtended(Event):
    """The money for a booking's extension is set aside too."""

    NAME = "trading.escrow.extended.v1"
    KEY = "booking_id"
    booking_id: str
    extension_id: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class EscrowExtensionRefused(Event):
    """The renter cannot pay for the extension; the booking goes on as it was."""

    NAME = "trading.escrow.extension_refused.v1"
    KEY = "booking_id"
    booking_id: str
    extension_id: str
    needed: int
    available: int


@dataclass(frozen=True, kw_only=True)
class EscrowClosed(Event):
    """A booking's escrow is divided: to the provider, the fee, back to the renter; and compensation from the bond."""

    NAME = "trading.escrow.closed.v1"
    KEY = "booking_id"
    booking_id: str
    paid: int
    fee: int
    refunded: int
    compensation: int


@dataclass(frozen=True, kw_only=True)
class BondHeld(Event):
    """A bond is set aside."""

    NAME = "trading.bond.held.v1"
    KEY = "bond_id"
    bond_id: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class BondRefused(Event):
    """Its owner cannot pay the bond."""

    NAME = "trading.bond.refused.v1"
    KEY = "bond_id"
    bond_id: str
    needed: int
    available: int
