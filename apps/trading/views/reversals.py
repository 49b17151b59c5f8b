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
from aitbc.core.schema import REUSED
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.trading.models import IdempotencyRecord, Reversal
from apps.trading.serializers.reversals import (
    ReasonSerializer,
    ReversalCreateSerializer,
    ReversalFilterSerializer,
    ReversalSerializer,
)
from apps.trading.services import reversals
from apps.trading.views.operators import operator_of

KEYED = OpenApiParameter("Idempotency-Key", location=OpenApiParameter.HEADER, required=True)


class ReversalViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """Corrections of deposits and paid withdrawals: a new transfer the other way, one for each."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(
        ("list", "retrieve", "create", "approve", "reject"), "operator"
    )
    queryset = Reversal.objects.all()
    serializer_class = ReversalSerializer
    filter_serializer = ReversalFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-id",)

    def get_queryset(self) -> QuerySet[Reversal]:
        return Reversal.objects.select_related("transfer")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List reversals, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(request=ReversalCreateSerializer, responses={201: ReversalSerializer, **REUSED}, parameters=[KEYED])
    def create(self, request: Request) -> HttpResponseBase:
        """Reverse a transfer; above the parameter it waits for a second operator, another user."""
        decision = self.validated(ReversalCreateSerializer)
        if self.request_key() is None:
            raise Invalid("Moving money needs an Idempotency-Key.")
        return self.idempotently(
            IdempotencyRecord,
            lambda: self.answer(
                reversals.reverse(
                    transfer_id=decision["transfer_id"], reason=decision["reason"], operator=operator_of(self.actor)
                ),
                status=201,
            ),
        )

    @extend_schema(request=None, responses=ReversalSerializer)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, pk: Any = None) -> Response:
        """Post a proposed reversal as its second operator."""
        return self.answer(reversals.approve(row=self.get_object(), operator=operator_of(self.actor)))

    @extend_schema(request=ReasonSerializer, responses=ReversalSerializer)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, pk: Any = None) -> Response:
        """Refuse a proposed reversal."""
        refusal = self.validated(ReasonSerializer)
        return self.answer(reversals.reject(row=self.get_object(), operator=operator_of(self.actor), **refusal))
