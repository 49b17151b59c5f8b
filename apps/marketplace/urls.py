"""Routes of the marketplace: each part lists its own; fixed words come before ids."""

from __future__ import annotations

from apps.marketplace import urls_analytics, urls_offers

urlpatterns = [*urls_analytics.urlpatterns, *urls_offers.urlpatterns]
