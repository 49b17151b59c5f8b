"""Entries of the log over HTTP, open to everybody."""

from __future__ import annotations

from typing import ClassVar

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import ignored
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.errors import HashInvalid
from apps.trading.models import LogEntry
from apps.trading.selectors import transactions
from apps.trading.serializers.log import HASH
from apps.trading.serializers.transactions import TransactionSerializer


def parse_hash(text: str) -> str:
    """A hash from the path, in lower case. Raises HashInvalid."""
    if not HASH.fullmatch(text):
        raise HashInvalid(f"It has {len(text)} characters." if len(text) != 64 else "It has other characters.")
    return text.lower()


class TransactionViewSet(DomainViewSet):
    """Entries of the log by hash."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"retrieve": PUBLIC}
    queryset = LogEntry.objects.all()
    serializer_class = TransactionSerializer

    @extend_schema(parameters=[ignored("chain_id", "There is one log.")])
    def retrieve(self, request: Request, tx_hash: str) -> Response:
        """One entry, the block that holds it, and how many blocks came since."""
        return self.answer(transactions.transaction(get_object_or_404(LogEntry, leaf_hash=parse_hash(tx_hash))))
