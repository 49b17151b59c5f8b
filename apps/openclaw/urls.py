"""Routes of the openclaw domain, below its prefix; health and readiness are added by the project."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
