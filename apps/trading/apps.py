"""The trading domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class TradingConfig(AppConfig):
    """Money, receipts and the transparency log."""

    name = "apps.trading"
    label = "trading"
    verbose_name = "Trading"

    def ready(self) -> None:
        from apps.trading import handlers  # noqa: F401  registers the subscriptions
