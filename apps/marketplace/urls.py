"""Routes of the marketplace: each part lists its own; fixed words come before ids."""

from __future__ import annotations

from apps.marketplace import urls_analytics, urls_auctions, urls_bookings, urls_legacy_gpu

urlpatterns = [
    *urls_analytics.urlpatterns,
    *urls_auctions.urlpatterns,
    *urls_bookings.urlpatterns,
    *urls_legacy_gpu.urlpatterns,
]

