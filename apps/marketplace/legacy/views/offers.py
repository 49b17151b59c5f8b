"""Offers where legacy clients and ours share a route: one path, two dialects.

A POST that names `price_gpu_hour` is read strictly, any other in the words of legacy clients; `GET …/offers` is their
bare list (ours are `…/offers/search` and `…/offers/mine`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import IDEMPOTENCY_KEY, MONEY
from aitbc.core.viewsets import PUBLIC, Scopes
from apps.marketplace.legacy.serializers.offers import CancelledSerializer, LegacyListSerializer, LegacyOfferSerializer
from apps.marketplace.models import IdempotencyRecord
from apps.marketplace.serializers.offers import (
    OfferCreateSerializer,
    OfferSerializer,
    OwnOfferSerializer,
    ReasonSerializer,
)
from apps.marketplace.services import offers
from apps.marketplace.views.offers import PROVIDERS, OfferViewSet

CREATE = PolymorphicProxySerializer(
    component_name="OfferCreateRequest", serializers=[OfferCreateSerializer, LegacyOfferSerializer],
    resource_type_field_name=None,
)  # fmt: skip


class LegacyOfferViewSet(OfferViewSet):
    """Offers as legacy clients list, make and cancel them."""

    deprecated = False  # one address for both: a POST that names `price_gpu_hour` is of this API

    required_scopes: ClassVar[Mapping[str, Scopes]] = {"list": PUBLIC, "create": PROVIDERS, "cancel": PROVIDERS}

    @extend_schema(parameters=[LegacyListSerializer], responses=OfferSerializer(many=True))
    def list(self, request: Request) -> Response:
        """Listed offers as a bare list, best first, for legacy clients; of others only what is listed."""
        query = self.validated(LegacyListSerializer, request.query_params.dict())
        rows = self.get_queryset().filter(_narrowed(query)).order_by("-score", "id")
        found = rows[query["offset"] : query["offset"] + query["limit"]]
        return self.answer(found, serializer=OfferSerializer)

    @extend_schema(
        parameters=[IDEMPOTENCY_KEY],
        request=CREATE,
        responses={201: OwnOfferSerializer, 200: OwnOfferSerializer, **MONEY},
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Offer GPUs. With `price_gpu_hour`: gpu_ids or specs, strictly read, 201. Else in the words of legacy clients:
        unknown fields are ignored, and it is answered 201 where `provider_id` is named, 200 otherwise."""
        return self.idempotently(IdempotencyRecord, self._create)

    def _create(self) -> Response:
        body = self.request.data
        ours = isinstance(body, Mapping) and "price_gpu_hour" in body
        terms = self.validated(OfferCreateSerializer if ours else LegacyOfferSerializer)
        offer = offers.create(provider_id=self.actor.pk, actor=self._who(), **terms)
        return self._tagged(offer, 201 if ours or "provider_id" in body else 200, OwnOfferSerializer)

    @extend_schema(
        parameters=[OpenApiParameter("reason", str, "query")], request=ReasonSerializer, responses=CancelledSerializer
    )
    def cancel(self, request: Request, pk: str) -> Response:
        """Withdraw it unless it is booked, in the words of legacy clients."""
        query = self.request.query_params.get("reason")
        reason = self._why(None if query is None else {"reason": query})["reason"] or "user_requested"
        offer = offers.withdraw(offer=self.get_object(), actor=self._who(), reason=reason, if_unbooked=True)
        return self.answer({"offer": offer, "reason": reason}, serializer=CancelledSerializer)


def _narrowed(query: Mapping[str, Any]) -> Q:
    """The filters of legacy clients as a condition; without a status, what is listed."""
    names = {"region": "region__iexact", "price_max": "price_gpu_hour__lte", "provider_id": "provider_id"}
    found = Q(**{lookup: query[name] for name, lookup in names.items() if name in query})
    if "gpu_model" in query:
        found &= Q(gpu_model__icontains=query["gpu_model"])
    return found & Q(state__in=query.get("status", ("open", "booked_out")))
