from apps.trading.admin import escrows, ledger, log  # noqa: F401
