"""Routes of the monitoring domain; health and readiness are added by the project."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
