"""Receipts and their bundles over HTTP, open to everybody: owners appear by alias only."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.pagination import KeysetPagination, page
from aitbc.core.rows import write_each
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.models import Receipt
from apps.trading.selectors import receipts
from apps.trading.serializers.receipts import BundleSerializer, ReceiptFilterSerializer, ReceiptRowSerializer
from apps.trading.services import blocks

NOT_SEALED = {409: OpenApiResponse(description="Committed, but not yet in a signed block; see Retry-After.")}
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Authorization, X-Api-Key"}
OWNERS_OWN = {"Cache-Control": "private, no-store"}


class ReceiptViewSet(mixins.ListModelMixin, DomainViewSet):
    """Signed receipts, newest first."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("list", "retrieve", "bundle"), PUBLIC)
    queryset = Receipt.objects.all()
    serializer_class = ReceiptRowSerializer
    filter_serializer = ReceiptFilterSerializer
    pagination_class = KeysetPagination
    ordering = ("-id",)
    COLUMNS: ClassVar[dict[str, str]] = {
        "job": "job_id", "miner": "miner_alias", "client": "client_alias", "from": "issued_at__gte",
    }  # fmt: skip

    def narrow(self, queryset: QuerySet[Receipt], filters: dict[str, Any]) -> QuerySet[Receipt]:
        return queryset.filter(**{self.COLUMNS[name]: value for name, value in filters.items()})

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A page of receipts by cursor."""
        rows, following = page(self.filter_queryset(self.get_queryset()), request, ordering=self.ordering)
        chain = blocks.origin()
        return self.answer({"items": write_each(partial(receipts.receipt_row, chain=chain), rows), "next": following})

    def retrieve(self, request: Request, pk: Any) -> Response:
        """One receipt, as it was signed."""
        return self.answer(receipts.receipt_row(self.get_object(), blocks.origin()))

    @extend_schema(responses={200: BundleSerializer, **NOT_SEALED})
    def bundle(self, request: Request, pk: Any) -> Response:
        """All that is needed to check the receipt offline; 409 until a block holds it.

        The owner of the job also gets `opening`: what the hashes of input and output were made from.
        """
        receipt = self.get_object()
        own = self.actor.is_authenticated and receipt.owner_id == self.actor.pk
        return self.answer(receipts.bundle(receipt, opened=own), headers=OWNERS_OWN if own else FOREVER)
