"""Reversals of transfers over HTTP, for operators."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import GONE, NOT_THERE, REUSED
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.trading.models import IdempotencyRecord, Reversal
from apps.trading.serializers.reversals import (
    ReversalCreateSerializer,
    ReversalFilterSerializer,
    ReversalRejectSerializer,
    ReversalSerializer,
)
from apps.trading.services import reversals
from apps.trading.views.operators import operator_of

KEYED = OpenApiParameter("Idempotency-Key", location=OpenApiParameter.HEADER, required=True)


class ReversalViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """Corrections by operators: a new transfer the other way, one for each old one."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(
        ("list", "retrieve", "create", "approve", "reject"), "operator"
    )
    queryset = Reversal.objects.all()
    lookup_value_converter = "id"
    serializer_class = ReversalSerializer
    filter_serializer = ReversalFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-id",)

    def get_queryset(self) -> QuerySet[Reversal]:
        return Reversal.objects.select_related("transfer")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List reversals, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        request=ReversalCreateSerializer,
        responses={201: ReversalSerializer, **REUSED, **NOT_THERE},
        parameters=[KEYED],
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Reverse a transfer; above `ledger.two_person_above` it is proposed, and another user approves it."""
        decision = self.validated(ReversalCreateSerializer)
        if self.request_key() is None:
            raise Invalid("Moving money needs an Idempotency-Key.")
        operator = operator_of(self.actor)
        return self.idempotently(
            IdempotencyRecord, lambda: self.answer(reversals.reverse(**decision, operator=operator), status=201)
        )

    @extend_schema(request=None, responses={200: ReversalSerializer, **GONE})
    @action(detail=True, methods=["post"], pagination_class=None)
    def approve(self, request: Request, pk: Any = None) -> Response:
        """Post a proposed reversal as its second operator, another user than the first."""
        return self.answer(reversals.approve(row=self.get_object(), operator=operator_of(self.actor)))

    @extend_schema(request=ReversalRejectSerializer, responses=ReversalSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def reject(self, request: Request, pk: Any = None) -> Response:
        """Refuse a proposed reversal, or take it back."""
        refusal = self.validated(ReversalRejectSerializer)
        return self.answer(reversals.reject(row=self.get_object(), operator=operator_of(self.actor), **refusal))
