"""The embedded servers and their supervisor."""

from __future__ import annotations

from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "aitbc.embedded"
    label = "embedded"
    verbose_name = "Embedded servers"
