"""Every route of the marketplace. Fixed words come before ids."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, URLResolver, path
from rest_framework.routers import SimpleRouter

from aitbc.core.pagination import KeysetPagination
from apps.marketplace.legacy.order_payloads import GPU
from apps.marketplace.legacy.views.bookings import OfferBookViewSet
from apps.marketplace.legacy.views.gpus import LegacyGpuViewSet
from apps.marketplace.legacy.views.offers import LegacyOfferViewSet
from apps.marketplace.legacy.views.orders import LegacyBidViewSet, TransactionViewSet
from apps.marketplace.views.analytics import AnalyticsViewSet
from apps.marketplace.views.bids import BidViewSet
from apps.marketplace.views.bookings import BookingViewSet
from apps.marketplace.views.demands import DemandViewSet
from apps.marketplace.views.offers import OfferViewSet
from apps.marketplace.views.overview import OverviewViewSet
from apps.marketplace.views.prices import PriceCellViewSet
from apps.marketplace.views.providers import ProviderViewSet
from apps.marketplace.views.quotes import QuoteViewSet
from apps.marketplace.views.reviews import BookingReviewViewSet, ReviewViewSet
from apps.marketplace.views.search import SearchViewSet

ROOT = "v1/marketplace"

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register(f"{ROOT}/bookings", BookingViewSet, basename="booking")
router.register(f"{ROOT}/demands", DemandViewSet, basename="demand")
router.register(f"{ROOT}/quotes", QuoteViewSet, basename="quote")
router.register(f"{ROOT}/reviews", ReviewViewSet, basename="review")

market, analytics = OverviewViewSet.as_view, AnalyticsViewSet.as_view
overview_urlpatterns = [
    path("status", market({"get": "status"}), name="market-status"),
    path(ROOT, market({"get": "overview"}), name="market-overview"),
    path(f"{ROOT}/stats", market({"get": "stats"}), name="market-stats"),
    path(f"{ROOT}/status", market({"get": "status"}), name="market-status-v1"),
    path(f"{ROOT}/analytics", analytics({"get": "glance"}), name="analytics"),
    path(f"{ROOT}/analytics/summary", analytics({"get": "summary"}), name="analytics-summary"),
    path(f"{ROOT}/analytics/prices", analytics({"get": "prices"}), name="analytics-prices"),
    path(f"{ROOT}/analytics/utilisation", analytics({"get": "utilisation"}), name="analytics-utilisation"),
    path(f"{ROOT}/analytics/liquidity", analytics({"get": "liquidity"}), name="analytics-liquidity"),
    path(f"{ROOT}/analytics/cells", PriceCellViewSet.as_view({"get": "list"}), name="analytics-cells"),
    path(f"{ROOT}/performance", analytics({"get": "performance"}), name="performance"),
    path(f"{ROOT}/dynamic-pricing", analytics({"post": "suggest"}), name="dynamic-pricing"),
]

provider = ProviderViewSet.as_view
provider_urlpatterns = [
    path(f"{ROOT}/providers/<id:provider_id>/profile", provider({"get": "profile"}), name="provider-profile"),
    path(f"{ROOT}/providers/<id:provider_id>/reputation", provider({"get": "reputation"}), name="provider-reputation"),
]

offer, search = OfferViewSet.as_view, SearchViewSet.as_view
offer_urlpatterns = [
    path(f"{ROOT}/offers/mine", offer({"get": "mine"}, pagination_class=KeysetPagination), name="offer-mine"),
    path(f"{ROOT}/offers/search", search({"get": "search", "post": "query"}), name="offer-search"),
    path(f"{ROOT}/offers/fields", search({"get": "fields"}), name="offer-fields"),
    path(
        f"{ROOT}/offers/<str:pk>",
        offer({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}, detail=True),
        name="offer-detail",
    ),
    path(f"{ROOT}/offers/<str:pk>/pause", offer({"post": "pause"}, detail=True), name="offer-pause"),
    path(f"{ROOT}/offers/<str:pk>/resume", offer({"post": "resume"}, detail=True), name="offer-resume"),
    path(f"{ROOT}/offers/<str:pk>/withdraw", offer({"post": "withdraw"}, detail=True), name="offer-withdraw"),
    path(f"{ROOT}/offers/<str:pk>/clone", offer({"post": "clone"}, detail=True), name="offer-clone"),
    path(f"{ROOT}/offers/<str:pk>/history", offer({"get": "history"}, detail=True), name="offer-history"),
]

party_urlpatterns = [
    path(f"{ROOT}/bids/mine", BidViewSet.as_view({"get": "list"}), name="bid-mine"),
    path(f"{ROOT}/bids/<id:pk>/withdraw", BidViewSet.as_view({"post": "withdraw"}), name="bid-withdraw"),
    path(
        f"{ROOT}/bookings/<id:pk>/review",
        BookingReviewViewSet.as_view({"get": "list", "post": "create", "patch": "partial_update"}),
        name="booking-review",
    ),
]

# Legacy routes: the paths, words and envelopes of legacy clients, over the same offers, demands and bookings.
legacy_offer, legacy_bid, legacy_order = (
    LegacyOfferViewSet.as_view,
    LegacyBidViewSet.as_view,
    TransactionViewSet.as_view,
)


def listing_urlpatterns(**options: Any) -> list[URLPattern]:
    """The routes of GPU listings; `options` are class attributes, such as the label they have in the schema."""

    def listing(**methods: Any) -> Any:
        return LegacyGpuViewSet.as_view(methods, **options)

    return [
        path(f"{ROOT}/gpu/list", listing(get="list")),
        path(f"{ROOT}/gpu/register", listing(post="register")),
        path(f"{ROOT}/gpu/purchase", listing(post="purchase")),
        path(f"{ROOT}/orders", listing(get="orders")),
        path(f"{ROOT}/pricing/<str:model>", listing(get="pricing")),
        path(f"{ROOT}/gpu/<str:gpu_id>", listing(get="retrieve", delete="destroy")),
        path(f"{ROOT}/gpu/<str:gpu_id>/book", listing(post="book_gpu")),
        path(f"{ROOT}/gpu/<str:gpu_id>/confirm", listing(post="confirm")),
        path(f"{ROOT}/gpu/<str:gpu_id>/release", listing(post="release")),
        path(f"{ROOT}/gpu/<str:gpu_id>/reviews", listing(get="reviews", post="review")),
    ]


legacy_urlpatterns = [
    path("v1/transactions", legacy_order({"get": "list", "post": "create"})),
    path(f"{ROOT}/bids", legacy_bid({"get": "list", "post": "create"})),
    path(f"{ROOT}/bids/<str:pk>", legacy_bid({"get": "retrieve"})),
    path(f"{ROOT}/offers", legacy_offer({"get": "list", "post": "create"}), name="offer-list"),
    path(
        f"{ROOT}/offers/<str:pk>/cancel",
        legacy_offer({"post": "cancel"}, detail=True, deprecated=True),
        name="offer-cancel",
    ),
    path(f"{ROOT}/offers/<str:pk>/book", OfferBookViewSet.as_view({"post": "create"}), name="offer-book"),
    *listing_urlpatterns(),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *router.urls,
    *overview_urlpatterns,
    *provider_urlpatterns,
    *offer_urlpatterns,
    *party_urlpatterns,
    *legacy_urlpatterns,
]

#: Legacy routes under gpu's prefix whose rows are the marketplace's; mounted by aitbc/urls.py.
gpu_urlpatterns: list[URLPattern] = [
    path("v1/transactions", legacy_order({"get": "list", "post": "create"}, label="gpu", kind=GPU)),
    *listing_urlpatterns(label="gpu"),
]
