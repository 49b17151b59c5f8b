"""Routes of trading, below its prefix."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from aitbc.core.renderers import TextRenderer
from apps.trading.legacy.block_list import LegacyBlockViewSet
from apps.trading.legacy.receipt_list import LegacyReceiptViewSet
from apps.trading.views.blocks import BlockViewSet
from apps.trading.views.deposits import DepositViewSet
from apps.trading.views.ledger import AccountViewSet, TransferViewSet
from apps.trading.views.log import LogViewSet
from apps.trading.views.receipts import ReceiptViewSet
from apps.trading.views.reversals import ReversalViewSet
from apps.trading.views.transactions import TransactionViewSet
from apps.trading.views.withdrawals import WithdrawalViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("v1/deposits", DepositViewSet, basename="deposit")
router.register("v1/reversals", ReversalViewSet, basename="reversal")
router.register("v1/withdrawals", WithdrawalViewSet, basename="withdrawal")

block = BlockViewSet.as_view({"get": "retrieve"})
receipt = ReceiptViewSet.as_view({"get": "retrieve"})
bundle = ReceiptViewSet.as_view({"get": "bundle"})
transaction = TransactionViewSet.as_view({"get": "retrieve"})
legacy_block = BlockViewSet.as_view({"get": "retrieve"}, deprecated=True)
legacy_receipt = ReceiptViewSet.as_view({"get": "retrieve"}, deprecated=True)
legacy_bundle = ReceiptViewSet.as_view({"get": "bundle"}, deprecated=True)
legacy_transaction = TransactionViewSet.as_view({"get": "retrieve"}, deprecated=True)
legacy_blocks = LegacyBlockViewSet.as_view({"get": "offsets"})
legacy_receipts = LegacyReceiptViewSet.as_view({"get": "offsets"})

# Named paths where a router would differ: `balance` and the log are no collections.
urlpatterns = [
    *router.urls,
    path("v1/ledger/balance", AccountViewSet.as_view({"get": "balance"})),
    path("v1/ledger/accounts", AccountViewSet.as_view({"get": "list"})),
    path("v1/ledger/accounts/<id:pk>", AccountViewSet.as_view({"get": "retrieve"})),
    path("v1/ledger/accounts/<id:pk>/entries", AccountViewSet.as_view({"get": "entries"})),
    path("v1/ledger/transfers", TransferViewSet.as_view({"get": "list"})),
    path("v1/ledger/transfers/<id:pk>", TransferViewSet.as_view({"get": "retrieve"})),
    path("v1/blocks", BlockViewSet.as_view({"get": "list"})),
    path("v1/blocks/<str:block_id>", block),
    path("v1/blocks/<str:block_id>/entries", BlockViewSet.as_view({"get": "entries"})),
    path("v1/receipts", ReceiptViewSet.as_view({"get": "list"})),
    path("v1/receipts/<id:pk>", receipt),
    path("v1/receipts/<id:pk>/bundle", bundle),
    path("v1/transactions/<str:tx_hash>", transaction),
    path("v1/log/checkpoint", LogViewSet.as_view({"get": "checkpoint"}, renderer_classes=[TextRenderer])),
    path("v1/log/proof/inclusion", LogViewSet.as_view({"get": "inclusion"})),
    path("v1/log/proof/consistency", LogViewSet.as_view({"get": "consistency"})),
    path("v1/log/publicKey", LogViewSet.as_view({"get": "public_key"})),
    path("v1/log/verify", LogViewSet.as_view({"post": "verify"})),
    path("v1/stats", LogViewSet.as_view({"get": "stats"})),
    # Legacy routes: other paths of the views above, and the lists by offset.
    path("blocks", legacy_blocks),
    path("v1/explorer/blocks", legacy_blocks),
    path("api/v1/blocks", legacy_blocks),
    path("blocks/<str:block_id>", legacy_block),
    path("receipts", legacy_receipts),
    path("v1/explorer/receipts", legacy_receipts),
    path("receipts/<id:pk>", legacy_receipt),
    path("receipts/<id:pk>/bundle", legacy_bundle),
    path("transactions/<str:tx_hash>", legacy_transaction),
    path("explorer/transactions/<str:tx_hash>", legacy_transaction),
]
