"""Routes of receipts and the log, below the domain's prefix; several are aliases the predecessor's clients call."""

from __future__ import annotations

from django.urls import path

from apps.trading.views.blocks import BlockViewSet, ReceiptViewSet, TransactionViewSet
from apps.trading.views.log import LogViewSet

block_offsets = BlockViewSet.as_view({"get": "offsets"})
block = BlockViewSet.as_view({"get": "retrieve"})
receipt_offsets = ReceiptViewSet.as_view({"get": "offsets"})
receipt = ReceiptViewSet.as_view({"get": "retrieve"})
bundle = ReceiptViewSet.as_view({"get": "bundle"})
transaction = TransactionViewSet.as_view({"get": "retrieve"})

urlpatterns = [
    path("blocks", block_offsets),
    path("v1/explorer/blocks", block_offsets),
    path("api/v1/blocks", block_offsets),
    path("blocks/<str:block_id>", block),
    path("receipts", receipt_offsets),
    path("v1/explorer/receipts", receipt_offsets),
    path("receipts/<uuid:pk>", receipt),
    path("receipts/<uuid:pk>/bundle", bundle),
    path("transactions/<str:tx_hash>", transaction),
    path("explorer/transactions/<str:tx_hash>", transaction),
    path("v1/blocks", BlockViewSet.as_view({"get": "list"})),
    path("v1/blocks/<str:block_id>", block),
    path("v1/blocks/<str:block_id>/entries", BlockViewSet.as_view({"get": "entries"})),
    path("v1/receipts", ReceiptViewSet.as_view({"get": "list"})),
    path("v1/receipts/<uuid:pk>", receipt),
    path("v1/receipts/<uuid:pk>/bundle", bundle),
    path("v1/transactions/<str:tx_hash>", transaction),
    path("v1/log/checkpoint", LogViewSet.as_view({"get": "checkpoint"})),
    path("v1/log/proof/inclusion", LogViewSet.as_view({"get": "inclusion"})),
    path("v1/log/proof/consistency", LogViewSet.as_view({"get": "consistency"})),
    path("v1/log/publicKey", LogViewSet.as_view({"get": "public_key"})),
    path("v1/log/verify", LogViewSet.as_view({"post": "verify"})),
    path("v1/stats", LogViewSet.as_view({"get": "stats"})),
]
