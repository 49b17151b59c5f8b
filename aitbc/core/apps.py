"""What every domain stands on."""

from __future__ import annotations

from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "aitbc.core"
    label = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        from aitbc.core import checks  # noqa: F401  (registers the system checks)
        from aitbc.core.admin import show_outboxes

        show_outboxes()  # django.contrib.admin stands before us in INSTALLED_APPS: its pages are all known by now
