"""Deposits over HTTP, for operators."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.errors import Invalid
from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import REUSED
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.trading.models import IdempotencyRecord, Transfer
from apps.trading.serializers.deposits import DepositSerializer
from apps.trading.serializers.ledger import TransferSerializer
from apps.trading.services import deposits, ledger

KEYED = OpenApiParameter("Idempotency-Key", location=OpenApiParameter.HEADER, required=True)


class DepositViewSet(mixins.ListModelMixin, DomainViewSet):
    """Money credited from outside the exchange."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"list": "operator", "create": "operator"}
    queryset = Transfer.objects.deposits()
    serializer_class = TransferSerializer
    pagination_class = KeysetPagination
    ordering = ("-seq",)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List deposits, newest first."""
        return super().list(request, *args, **kwargs)

    @extend_schema(request=DepositSerializer, responses={201: TransferSerializer, **REUSED}, parameters=[KEYED])
    def create(self, request: Request) -> HttpResponseBase:
        """Credit an owner; the transfer stores the reason and the operator."""
        deposit = self.validated(DepositSerializer)
        key = self.request_key()
        if key is None:
            raise Invalid("Moving money needs an Idempotency-Key.")
        actor = f"operator:{self.actor.pk} key:{self.actor.key_prefix}"
        transfer_id = ledger.name(f"deposit:{self.actor.pk}:{key}")
        return self.idempotently(
            IdempotencyRecord,
            lambda: self.answer(deposits.deposit(**deposit, actor=actor, transfer_id=transfer_id), status=201),
        )
