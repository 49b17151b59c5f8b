"""The list of receipts by offset, as legacy clients page through it."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.trading.legacy import payloads
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
        """A page of receipts by offset, in the envelopes of the predecessor's clients."""
        asked = self.validated(ReceiptOffsetSerializer, request.query_params.dict())
        chain, job_id = origin(), asked.get("job_id")
        meant = payloads.is_ours(asked["chain_id"], chain) and asked.get("status", "completed") == receipts.STATUS
        found = Receipt.objects.all() if meant else Receipt.objects.none()
        found = found.filter(job_id=job_id) if job_id else found
        rows = found.order_by("-id")[asked["offset"] : asked["offset"] + asked["limit"]]
        shown = [receipts.receipt_row(receipt, chain) for receipt in rows]
        envelope = payloads.page_of("receipts", shown, found.count(), asked, chain)
        named = {"job_id": str(job_id), "jobId": str(job_id)} if job_id else {"job_id": None, "jobId": "all"}
        return self.answer({**envelope, **named})
