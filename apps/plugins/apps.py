"""The plugins domain as a Django app."""

from __future__ import annotations

from django.apps import AppConfig


class PluginsConfig(AppConfig):
    name = "apps.plugins"
    label = "plugins"
    verbose_name = "Plugins"

    def ready(self) -> None:
        from apps.plugins import handlers  # noqa: F401  registers the subscriptions
