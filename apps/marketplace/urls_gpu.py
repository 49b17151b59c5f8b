"""Routes under gpu's prefix whose rows are the marketplace's (mounted by aitbc/urls.py)."""

from __future__ import annotations

from django.urls import path

from apps.marketplace.legacy.order_payloads import GPU
from apps.marketplace.legacy.views.transactions import TransactionViewSet
from apps.marketplace.urls_legacy_gpu import routes

urlpatterns = [
    path("v1/transactions", TransactionViewSet.as_view({"get": "list", "post": "create"}, label="gpu", kind=GPU)),
    *routes(label="gpu"),
]
