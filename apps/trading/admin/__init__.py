"""Admin pages of trading, one module per aggregate; Django's autodiscover imports this package only."""

from apps.trading.admin import (  # noqa: F401
    blocks,
    bonds,
    escrows,
    ledger,
    log,
    messages,
    payments,
    receipts,
    reversals,
    withdrawals,
)
