"""Routes under gpu's prefix whose rows are the marketplace's (mounted by aitbc/urls.py)."""

from __future__ import annotations

from apps.marketplace.urls_legacy_gpu import routes

urlpatterns = [*routes(label="gpu")]
