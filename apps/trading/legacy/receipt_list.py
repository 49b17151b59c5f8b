"""The list of receipts by offset, as legacy clients page through it.

The signed format 1.0 that job results carry is selectors/legacy_receipts.py: ai asks for it through the interface.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.rows import write_each
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.legacy.envelopes import envelope, is_this_chain
from apps.trading.legacy.serializers import ReceiptOffsetSerializer, ReceiptPageSerializer
from apps.trading.models import Receipt
from apps.trading.selectors import receipts
from apps.trading.serializers.receipts import ReceiptRowSerializer
from apps.trading.services.blocks import origin


class LegacyReceiptViewSet(DomainViewSet):
    """Receipts, newest first, in the envelope of legacy clients."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"offsets": PUBLIC}
    queryset = Receipt.objects.all()
    serializer_class = ReceiptRowSerializer

    @extend_schema(parameters=[ReceiptOffsetSerializer], responses=ReceiptPageSerializer, filters=False)
    def offsets(self, request: Request) -> Response:
        """A page of receipts by offset, in the envelope of legacy clients."""
        query = self.validated(ReceiptOffsetSerializer, request.query_params.dict())
        chain, job_id = origin(), query.get("job_id")
        found = Receipt.objects.of_jobs() if is_this_chain(query["chain_id"], chain) else Receipt.objects.none()
        selected = found.filter(job_id=job_id) if job_id else found
        selected = selected.filter(body__outcome=query["status"]) if "status" in query else selected
        page = selected.order_by("-id")[query["offset"] : query["offset"] + query["limit"]]
        items = write_each(partial(receipts.receipt_row, chain=chain), page)
        body = envelope("receipts", items, selected.count(), query, chain)
        job = {"job_id": str(job_id), "jobId": str(job_id)} if job_id else {"job_id": None, "jobId": "all"}
        return self.answer({**body, **job})
