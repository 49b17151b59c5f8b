"""Withdrawals over HTTP: owners request and cancel, operators decide and pay."""

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
from aitbc.core.schema import GONE, MONEY
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.trading.models import IdempotencyRecord, Withdrawal
from apps.trading.serializers.withdrawals import (
    WithdrawalFilterSerializer,
    WithdrawalPaySerializer,
    WithdrawalRejectSerializer,
    WithdrawalRequestSerializer,
    WithdrawalSerializer,
)
from apps.trading.services import withdrawals
from apps.trading.views.operators import operator_of

OWNERS: Scopes = ("client", "miner", "trader", "publisher")
READERS: Scopes = (*OWNERS, "read", "operator")
KEYED = OpenApiParameter("Idempotency-Key", location=OpenApiParameter.HEADER, required=True)


class WithdrawalViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """Money on its way out; owners see their own, operators all."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        "list": READERS, "retrieve": READERS, "create": OWNERS, "cancel": OWNERS,
        "approve": "operator", "reject": "operator", "pay": "operator",
    }  # fmt: skip
    queryset = Withdrawal.objects.all()
    lookup_value_converter = "id"
    serializer_class = WithdrawalSerializer
    filter_serializer = WithdrawalFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-id",)

    def get_queryset(self) -> QuerySet[Withdrawal]:
        rows = Withdrawal.objects.all()
        all_of_them = self.actor.may("operator") and self.action != "cancel"
        return rows if all_of_them else rows.owned_by(self.actor.pk)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List withdrawals, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(
        request=WithdrawalRequestSerializer, responses={201: WithdrawalSerializer, **MONEY}, parameters=[KEYED]
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Request that money be paid to a destination outside; it is held at once."""
        requested = self.validated(WithdrawalRequestSerializer)
        if self.request_key() is None:
            raise Invalid("Moving money needs an Idempotency-Key.")
        return self.idempotently(
            IdempotencyRecord,
            lambda: self.answer(
                withdrawals.request(**requested, owner_id=self.actor.pk, actor=self.owner()), status=201
            ),
        )

    @extend_schema(request=None, responses=WithdrawalSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """Take the request back before it is approved; the money is free again."""
        return self.answer(withdrawals.cancel(row=self.get_object(), actor=self.owner()))

    @extend_schema(request=None, responses={200: WithdrawalSerializer, **GONE})
    @action(detail=True, methods=["post"], pagination_class=None)
    def approve(self, request: Request, pk: Any = None) -> Response:
        """Approve it, so that its owner cannot cancel it; above `ledger.two_person_above` that takes two users."""
        return self.answer(withdrawals.approve(row=self.get_object(), operator=operator_of(self.actor)))

    @extend_schema(request=WithdrawalRejectSerializer, responses=WithdrawalSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def reject(self, request: Request, pk: Any = None) -> Response:
        """Refuse it, with a reason its owner sees; the money is free again."""
        refusal = self.validated(WithdrawalRejectSerializer)
        return self.answer(withdrawals.reject(row=self.get_object(), operator=operator_of(self.actor), **refusal))

    @extend_schema(request=WithdrawalPaySerializer, responses=WithdrawalSerializer)
    @action(detail=True, methods=["post"], pagination_class=None)
    def pay(self, request: Request, pk: Any = None) -> Response:
        """Record that an approved one was paid outside, with that payment's reference."""
        payment = self.validated(WithdrawalPaySerializer)
        return self.answer(withdrawals.pay(row=self.get_object(), operator=operator_of(self.actor), **payment))

    def owner(self) -> str:
        return f"owner:{self.actor.pk} key:{self.actor.key_prefix}"
