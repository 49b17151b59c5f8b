"""Routes of offers: read, edit, pause, resume, withdraw, clone (listed and made in legacy/views/offers.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import IDEMPOTENCY_KEY, MONEY
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.errors import IfMatchInvalid
from apps.marketplace.models import IdempotencyRecord, MarketplaceOffer
from apps.marketplace.selectors import offers as offer_selectors
from apps.marketplace.serializers.offers import (
    OfferEditSerializer,
    OfferHistorySerializer,
    OfferSerializer,
    OwnListSerializer,
    OwnOfferSerializer,
    ReasonSerializer,
)
from apps.marketplace.services import offers

PROVIDERS = ("miner", "client")
ETAG = re.compile(r'"?(\d{1,9})"?')
IF_MATCH = OpenApiParameter("If-Match", str, "header", required=True, description='The ETag you read, e.g. "3", or *.')
STALE = {412: OpenApiResponse(description="It was changed since; read it again.")}


class OfferViewSet(DomainViewSet):
    """Offers: the public sees listed ones, a provider all of its own."""

    queryset = MarketplaceOffer.objects.all()
    serializer_class = OfferSerializer
    pagination_class = None  # but for `mine`
    required_scopes: ClassVar[Mapping[str, Scopes]] = {
        "retrieve": PUBLIC, "history": PUBLIC, "mine": (*PROVIDERS, "read"),
        **dict.fromkeys(("partial_update", "destroy", "pause", "resume", "withdraw", "clone"), PROVIDERS),
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[MarketplaceOffer]:
        own = MarketplaceOffer.objects.owned_by(self.actor.pk) if self.actor.is_authenticated else None
        if self.action in ("list", "retrieve", "history"):
            listed = MarketplaceOffer.objects.listed()
            return listed if own is None else listed | own
        return own if own is not None else MarketplaceOffer.objects.none()

    def get_object(self) -> MarketplaceOffer:
        """By its id, or by the id its provider gave it (its own first; of others only if it is unique)."""
        named, rows = self.kwargs["pk"], self.get_queryset()
        try:
            found = list(rows.filter(pk=UUID(named))[:1])
        except ValueError:
            same = rows.filter(external_id=named).exclude(external_id="")
            found = list(same.filter(provider_id=self.actor.pk)[:1]) or list(same[:2])
        if len(found) != 1:
            raise Http404
        return found[0]

    @extend_schema(parameters=[OwnListSerializer], responses=OfferSerializer(many=True))
    @action(detail=False)
    def mine(self, request: Request) -> Response:
        """The caller's offers in every state, newest first."""
        query = self.filters(OwnListSerializer)
        rows = self.get_queryset().order_by("-created_at", "-pk")
        page = self.paginate_queryset(rows.filter(state__in=query["state"]) if query.get("state") else rows)
        return self.get_paginated_response(OfferSerializer(page, many=True).data)

    @extend_schema(responses=OfferSerializer)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One offer; its ETag is the revision that an edit names."""
        return self._tagged(self.get_object())

    @extend_schema(
        parameters=[IF_MATCH], request=OfferEditSerializer, responses={200: OwnOfferSerializer, **MONEY, **STALE}
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change terms of the revision that If-Match names: 412 if it was changed since, 400 without the header."""
        offer, revision = self.get_object(), self._revision()
        terms = self.validated(OfferEditSerializer)
        return self._tagged(
            offers.edit(offer=offer, revision=revision, actor=self._who(), **terms), 200, OwnOfferSerializer
        )

    @extend_schema(request=None, responses={200: OfferSerializer})
    def destroy(self, request: Request, pk: str) -> Response:
        """Withdraw it, as legacy clients do; answers the offer."""
        return self._tagged(offers.withdraw(offer=self.get_object(), actor=self._who(), if_unbooked=True))

    @extend_schema(request=ReasonSerializer, responses=OfferSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Take no bookings for now."""
        return self._tagged(offers.pause(offer=self.get_object(), actor=self._who(), **self._why()))

    @extend_schema(request=ReasonSerializer, responses={200: OfferSerializer, **MONEY})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Open a paused offer or a draft."""
        return self._tagged(offers.resume(offer=self.get_object(), actor=self._who(), **self._why()))

    @extend_schema(request=ReasonSerializer, responses=OfferSerializer)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:
        """End it for good; bookings made of it go on."""
        return self._tagged(offers.withdraw(offer=self.get_object(), actor=self._who(), **self._why()))

    @extend_schema(parameters=[IDEMPOTENCY_KEY], request=None, responses={201: OwnOfferSerializer, **MONEY})
    @action(detail=True, methods=["post"])
    def clone(self, request: Request, pk: str) -> HttpResponseBase:
        """A draft with the same terms, to be edited and resumed."""
        return self.idempotently(IdempotencyRecord, self._clone)

    def _clone(self) -> Response:
        return self._tagged(offers.clone(offer=self.get_object(), actor=self._who()), 201, OwnOfferSerializer)

    @extend_schema(responses=OfferHistorySerializer)
    @action(detail=True)
    def history(self, request: Request, pk: str) -> Response:
        """Its prices and revisions, and what it has earned."""
        return self.answer(offer_selectors.history(self.get_object()), serializer=OfferHistorySerializer)

    def _who(self) -> str:
        return f"provider:{self.actor.pk}"

    def _why(self, reason: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self.validated(ReasonSerializer, reason)

    def _tagged(self, offer: MarketplaceOffer, status: int = 200, serializer: Any = OfferSerializer) -> Response:
        return self.answer(offer, status, serializer, headers={"ETag": f'"{offer.revision}"'})

    def _revision(self) -> int | None:
        """The revision that If-Match names; None for *."""
        reason = self.request.headers.get("If-Match", "").strip()
        if reason == "*":
            return None
        found = ETAG.fullmatch(reason)
        if found is None:
            raise IfMatchInvalid('Send If-Match with the ETag you read, e.g. "3"; * edits whatever is there.')
        return int(found[1])
