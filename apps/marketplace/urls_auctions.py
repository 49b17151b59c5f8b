"""Routes of auctions, and of the predecessor's orders."""

from __future__ import annotations

from django.urls import path

from apps.marketplace.legacy.views.transactions import OldBidViewSet, TransactionViewSet
from apps.marketplace.views.auctions import BidViewSet, DemandViewSet

urlpatterns = [
    path("v1/transactions", TransactionViewSet.as_view({"get": "list", "post": "create"})),
    path("v1/marketplace/demands", DemandViewSet.as_view({"get": "list", "post": "create"})),
    path("v1/marketplace/demands/<uuid:pk>", DemandViewSet.as_view({"get": "retrieve"})),
    path("v1/marketplace/demands/<uuid:pk>/publish", DemandViewSet.as_view({"post": "publish"})),
    path("v1/marketplace/demands/<uuid:pk>/cancel", DemandViewSet.as_view({"post": "cancel"})),
    path("v1/marketplace/demands/<uuid:pk>/award", DemandViewSet.as_view({"get": "award", "post": "choose"})),
    path("v1/marketplace/demands/<uuid:pk>/bids", DemandViewSet.as_view({"get": "bids", "post": "bid"})),
    path("v1/marketplace/bids", OldBidViewSet.as_view({"get": "list", "post": "create"})),
    path("v1/marketplace/bids/mine", BidViewSet.as_view({"get": "list"})),
    path("v1/marketplace/bids/<str:pk>", OldBidViewSet.as_view({"get": "retrieve"})),
    path("v1/marketplace/bids/<uuid:pk>/withdraw", BidViewSet.as_view({"post": "withdraw"})),
]
