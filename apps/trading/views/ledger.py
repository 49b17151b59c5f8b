"""Accounts and transfers over HTTP: owners see their own accounts, operators everything."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.pagination import KeysetPagination, page
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.trading.models import LedgerAccount, Transfer
from apps.trading.serializers.ledger import (
    AccountFilterSerializer,
    AccountSerializer,
    BalanceSerializer,
    EntrySerializer,
    TransferFilterSerializer,
    TransferSerializer,
    balance_of,
)
from apps.trading.states import CURRENCY, AccountKind

OWNERS: Scopes = ("client", "miner", "trader", "publisher", "operator")


class AccountViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """Accounts of the caller; an operator sees everybody's."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("list", "retrieve", "entries", "balance"), OWNERS)
    queryset = LedgerAccount.objects.all()
    serializer_class = AccountSerializer
    filter_serializer = AccountFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("owner_id", "kind", "shard")

    def get_queryset(self) -> QuerySet[LedgerAccount]:
        accounts = LedgerAccount.objects.all()
        return accounts if self.actor.may("operator") else accounts.owned_by(self.actor.pk)

    @extend_schema(responses=EntrySerializer(many=True))
    @action(detail=True)
    def entries(self, request: Request, pk: Any = None) -> Response:
        """The account's transfers, newest first."""
        account = self.get_object()
        rows, following = page(Transfer.objects.touching(account.pk), request, ordering=("-seq",))
        context = {**self.get_serializer_context(), "account_id": account.pk}
        return Response({"items": EntrySerializer(rows, many=True, context=context).data, "next": following})

    @extend_schema(responses=BalanceSerializer, filters=False)
    @action(detail=False, pagination_class=None)
    def balance(self, request: Request) -> Response:
        """What the caller may spend, and what is held for running jobs."""
        account = LedgerAccount.objects.owned_by(self.actor.pk).of_kind(AccountKind.AVAILABLE).first()
        return self.answer(balance_of(account, self.actor.pk, CURRENCY), serializer=BalanceSerializer)


class TransferViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """All transfers, for operators."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"list": "operator", "retrieve": "operator"}
    queryset = Transfer.objects.all()
    serializer_class = TransferSerializer
    filter_serializer = TransferFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-seq",)
