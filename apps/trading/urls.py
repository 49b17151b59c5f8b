"""Routes of trading: money here, receipts and the log in urls_log.py."""

from __future__ import annotations

from django.urls import path

from apps.trading.urls_log import urlpatterns as log_routes
from apps.trading.views.ledger import AccountViewSet, DepositViewSet, TransferViewSet

urlpatterns = [
    path("v1/ledger/balance", AccountViewSet.as_view({"get": "balance"})),
    path("v1/ledger/accounts", AccountViewSet.as_view({"get": "list"})),
    path("v1/ledger/accounts/<uuid:pk>", AccountViewSet.as_view({"get": "retrieve"})),
    path("v1/ledger/accounts/<uuid:pk>/entries", AccountViewSet.as_view({"get": "entries"})),
    path("v1/ledger/transfers", TransferViewSet.as_view({"get": "list"})),
    path("v1/ledger/transfers/<uuid:pk>", TransferViewSet.as_view({"get": "retrieve"})),
    path("v1/deposits", DepositViewSet.as_view({"get": "list", "post": "create"})),
    *log_routes,
]
