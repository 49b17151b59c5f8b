"""Routes of market analytics: prices, utilisation, liquidity, performance; all of them are public."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import NOT_THERE
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.selectors import analytics, prices
from apps.marketplace.serializers.analytics import (
    LiquiditySerializer,
    PerformanceSerializer,
    PeriodQuerySerializer,
    PricesSerializer,
    SpanQuerySerializer,
    SummarySerializer,
    UtilisationSerializer,
)
from apps.marketplace.serializers.prices import (
    CellQuerySerializer,
    SuggestionQuerySerializer,
    SuggestionSerializer,
)

PERIODS = {
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
    "weekly": timedelta(days=7),
    "monthly": timedelta(days=30),
}


MICRO = 1_000_000


class AnalyticsViewSet(DomainViewSet):
    """Statistics of the market as a whole."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(
        ("prices", "utilisation", "liquidity", "glance", "summary", "performance", "suggest"), PUBLIC
    )

    @extend_schema(parameters=[SpanQuerySerializer], responses={200: PricesSerializer, **NOT_THERE}, filters=False)
    def prices(self, request: Request) -> Response:
        """Asks and trades per bucket: percentiles, open, high, low, close, volume."""
        span = self._span()
        cell = {"gpu_model": span.model, "region": span.region, "kind": span.kind}
        times = {"interval": self._query["interval"], "from": span.since, "to": span.until}
        return self.answer({**cell, **times, "items": analytics.prices(span)}, serializer=PricesSerializer)

    @extend_schema(parameters=[SpanQuerySerializer], responses={200: UtilisationSerializer, **NOT_THERE}, filters=False)
    def utilisation(self, request: Request) -> Response:
        """Which share of the GPU time on offer was in use."""
        span = self._span()
        cell = {"gpu_model": span.model, "region": span.region, "interval": self._query["interval"]}
        return self.answer({**cell, "items": analytics.utilisation(span)}, serializer=UtilisationSerializer)

    @extend_schema(parameters=[CellQuerySerializer], responses={200: LiquiditySerializer, **NOT_THERE}, filters=False)
    def liquidity(self, request: Request) -> Response:
        """How deep a market is."""
        query = self.filters(CellQuerySerializer)
        named = query.get("gpu_model", "")
        model = analytics.model_named(named) if named else ""
        found = analytics.liquidity(model=model, region=query.get("region", ""), kind=query.get("kind", ""))
        return self.answer(found, serializer=LiquiditySerializer)

    @extend_schema(parameters=[PeriodQuerySerializer], responses=SummarySerializer, filters=False)
    def summary(self, request: Request) -> Response:
        """The market at a glance, and what was booked in the last period (a day by default)."""
        period, since = self._period()
        found = analytics.summary(since=since)
        average = found["average_price_gpu_hour"]
        legacy = {
            "period_type": period,
            "total_offers": found["listed_offers"],
            "total_capacity": found["listed_gpus"],
            "total_transactions": found["bookings"],
            "total_volume": found["volume"] / MICRO,
            "average_price": (average or 0) / MICRO,
        }
        return self.answer({"since": since, **found, **legacy}, serializer=SummarySerializer)

    @extend_schema(parameters=[PeriodQuerySerializer], responses=SummarySerializer, filters=False)
    def glance(self, request: Request) -> Response:
        """The summary, at the path that legacy clients know."""
        return self.summary(request)

    @extend_schema(parameters=[PeriodQuerySerializer], responses=PerformanceSerializer, filters=False)
    def performance(self, request: Request) -> Response:
        """How well the market served its renters in the last period."""
        period, since = self._period()
        found = {"period": period, "since": since, **analytics.performance(since=since, now=timezone.now())}
        return self.answer(found, serializer=PerformanceSerializer)

    @extend_schema(
        parameters=[SuggestionQuerySerializer],
        request=None,
        responses={200: SuggestionSerializer, **NOT_THERE},
        filters=False,
    )
    def suggest(self, request: Request) -> Response:
        """Suggest a price for an offer, from demand and supply as stated, else as this market has them."""
        body = request.data if isinstance(request.data, dict) else {}
        query = self.validated(SuggestionQuerySerializer, {**request.query_params.dict(), **body})
        return self.answer(prices.suggest(**query), serializer=SuggestionSerializer)

    def _span(self) -> analytics.Span:
        self._query: dict[str, Any] = self.filters(SpanQuerySerializer)
        return analytics.span_of(self._query, now=timezone.now())

    def _period(self) -> tuple[str, Any]:
        query = self.filters(PeriodQuerySerializer)
        period = query.get("period_type") or query.get("period") or "daily"
        return period, timezone.now() - PERIODS[period]
