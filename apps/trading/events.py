"""Facts the trading domain publishes about money, receipts and sealed blocks."""

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
    """A job that ended without a result was settled: what was owed is paid, the rest is back."""

    NAME = "trading.payment.refunded.v1"
    KEY = "job_id"
    job_id: str
    payment_id: str
    refunded: int
    paid: int


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
