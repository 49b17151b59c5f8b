"""Routes of offers, searching and the market at a glance."""

from __future__ import annotations

from django.urls import URLPattern, path

from aitbc.core.pagination import KeysetPagination
from apps.marketplace.views.offers import OfferViewSet
from apps.marketplace.views.overview import OverviewViewSet
from apps.marketplace.views.search import SearchViewSet

BASE = "v1/marketplace"

urlpatterns: list[URLPattern] = [
    path("status", OverviewViewSet.as_view({"get": "status"}), name="market-status"),
    path(BASE, OverviewViewSet.as_view({"get": "overview"}), name="market-overview"),
    path(f"{BASE}/stats", OverviewViewSet.as_view({"get": "stats"}), name="market-stats"),
    path(f"{BASE}/status", OverviewViewSet.as_view({"get": "status"}), name="market-status-v1"),
    path(f"{BASE}/offers", OfferViewSet.as_view({"get": "list", "post": "create"}), name="offer-list"),
    path(
        f"{BASE}/offers/mine",
        OfferViewSet.as_view({"get": "mine"}, pagination_class=KeysetPagination),
        name="offer-mine",
    ),
    path(f"{BASE}/offers/search", SearchViewSet.as_view({"get": "search", "post": "query"}), name="offer-search"),
    path(f"{BASE}/offers/fields", SearchViewSet.as_view({"get": "fields"}), name="offer-fields"),
    path(
        f"{BASE}/offers/<str:pk>",
        OfferViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}, detail=True),
        name="offer-detail",
    ),
    *[
        path(f"{BASE}/offers/<str:pk>/{verb}", OfferViewSet.as_view({method: verb}, detail=True), name=f"offer-{verb}")
        for verb, method in {
            "pause": "post", "resume": "post", "withdraw": "post", "cancel": "post", "clone": "post", "history": "get",
        }.items()
    ],
]  # fmt: skip
