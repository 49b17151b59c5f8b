"""The plugins domain."""

from __future__ import annotations

from django.apps import AppConfig


class PluginsConfig(AppConfig):
    name = "apps.plugins"
    label = "plugins"
    verbose_name = "Plugins"
