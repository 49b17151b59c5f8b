from apps.trading.models.blocks import Block
from apps.trading.models.bonds import Bond, BondEvent
from apps.trading.models.escrows import Escrow, EscrowEvent, Topup
from apps.trading.models.ledger import EXCHANGE, BalanceSnapshot, LedgerAccount, Transfer
from apps.trading.models.log import LogEntry, LogTile
from apps.trading.models.messages import IdempotencyRecord, Inbox, Outbox
from apps.trading.models.payments import Payment, PaymentEvent
from apps.trading.models.receipts import Receipt
from apps.trading.models.reversals import Reversal, ReversalEvent
from apps.trading.models.withdrawals import Withdrawal, WithdrawalEvent

__all__ = [
    "BalanceSnapshot",
    "Block",
    "Bond",
    "BondEvent",
    "EXCHANGE",
    "Escrow",
    "EscrowEvent",
    "IdempotencyRecord",
    "Inbox",
    "LedgerAccount",
    "LogEntry",
    "LogTile",
    "Outbox",
    "Payment",
    "PaymentEvent",
    "Receipt",
    "Reversal",
    "ReversalEvent",
    "Topup",
    "Transfer",
    "Withdrawal",
    "WithdrawalEvent",
]
