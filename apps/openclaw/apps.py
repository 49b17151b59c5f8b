"""The openclaw domain."""

from __future__ import annotations

from django.apps import AppConfig


class OpenClawConfig(AppConfig):
    name = "apps.openclaw"
    label = "openclaw"
    verbose_name = "OpenClaw"
