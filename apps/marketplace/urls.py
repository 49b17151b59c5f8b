"""Routes of the marketplace: each part lists its own; fixed words come before ids."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
