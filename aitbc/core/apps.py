"""What every domain stands on."""

from __future__ import annotations

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "aitbc.core"
    label = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        from aitbc.core import checks  # noqa: F401  (registers the system checks)
