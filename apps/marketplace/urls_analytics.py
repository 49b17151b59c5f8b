"""Routes of the market's figures."""

from __future__ import annotations

from django.urls import path

from apps.marketplace.views.analytics import AnalyticsViewSet, PriceCellViewSet, ProviderViewSet

figures, provider = AnalyticsViewSet.as_view, ProviderViewSet.as_view

urlpatterns = [
    path("v1/marketplace/analytics", figures({"get": "glance"}), name="analytics"),
    path("v1/marketplace/analytics/summary", figures({"get": "summary"}), name="analytics-summary"),
    path("v1/marketplace/analytics/prices", figures({"get": "prices"}), name="analytics-prices"),
    path("v1/marketplace/analytics/utilisation", figures({"get": "utilisation"}), name="analytics-utilisation"),
    path("v1/marketplace/analytics/liquidity", figures({"get": "liquidity"}), name="analytics-liquidity"),
    path("v1/marketplace/analytics/cells", PriceCellViewSet.as_view({"get": "list"}), name="analytics-cells"),
    path("v1/marketplace/performance", figures({"get": "performance"}), name="performance"),
    path("v1/marketplace/dynamic-pricing", figures({"post": "suggest"}), name="dynamic-pricing"),
    path("v1/marketplace/providers/<uuid:provider_id>/profile", provider({"get": "profile"}), name="provider-profile"),
    path(
        "v1/marketplace/providers/<uuid:provider_id>/reputation",
        provider({"get": "reputation"}),
        name="provider-reputation",
    ),
]
