"""What every domain stands on."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.core.signals import request_started
from django.db import close_old_connections, reset_queries


class CoreConfig(AppConfig):
    name = "aitbc.core"
    label = "core"
    verbose_name = "Core"

    def ready(self) -> None:
        from aitbc.core import checks, converters  # noqa: F401  (registers the system checks)
        from aitbc.core.admin import show_outboxes

        converters.register()
        # Connections go back to their pool after a request: before one there is none to look at.
        if settings.ROLE == "web":
            request_started.disconnect(close_old_connections)
        if not settings.DEBUG:
            request_started.disconnect(reset_queries)
        show_outboxes()  # django.contrib.admin stands before us in INSTALLED_APPS: its pages are all known by now
