"""The openclaw domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class OpenClawConfig(AppConfig):
    name = "apps.openclaw"
    label = "openclaw"
    verbose_name = "OpenClaw"

    def ready(self) -> None:
        from apps.openclaw import handlers  # noqa: F401  registers the subscriptions
