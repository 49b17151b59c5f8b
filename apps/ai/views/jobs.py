"""The endpoints of /ai/jobs: jobs of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.hot_path import HotViewSet
from aitbc.core.long_polling import stream_page
from aitbc.core.pagination import KeysetPagination, limit_of
from aitbc.core.renderers import EventStreamRenderer, FastJSONRenderer, once
from aitbc.core.rows import write_each
from aitbc.core.schema import IDEMPOTENCY_KEY, MONEY, ignored
from aitbc.core.viewsets import Scopes
from apps.ai.models import AIJob, IdempotencyRecord, JobEvent
from apps.ai.selectors.job_stream import Cursor, new_events
from apps.ai.selectors.jobs import explanation_of, payment_of, receipt_of, result_of
from apps.ai.serializers.job_filters import JobFilterSerializer, apply_filters
from apps.ai.serializers.job_submission import JobSubmitSerializer, read_terms
from apps.ai.serializers.jobs import (
    CancelSerializer,
    JobDetailSerializer,
    JobEventsSerializer,
    JobExplanationSerializer,
    JobPaymentSerializer,
    JobReceiptSerializer,
    JobResultSerializer,
    JobSerializer,
    represent,
    row_writer,
)
from apps.ai.services import jobs

READERS = ("client", "read")
CLIENT = ignored("client_id", "The key says who calls.")
JOB_BODY = (1 << 20) + (16 << 10)  # a payload of 1 MiB and the fields around it


class JobPagination(KeysetPagination):
    """Keyset pages with the legacy envelope beside ours; `total` counts what passes the filters, on all pages."""

    def get_paginated_response(self, data: Any) -> Response:
        jobs = once(data)
        return Response(
            {"items": jobs, "jobs": jobs, "total": self.total, "limit": self.limit, "next": self.next_cursor}
        )

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> list[Any]:
        self.limit = limit_of(request)
        rows = super().paginate_queryset(queryset, request, view)
        is_whole = self.next_cursor is None and "cursor" not in request.query_params
        self.total = len(rows) if is_whole else queryset.count()
        return rows

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        envelope = super().get_paginated_response_schema(schema)
        envelope["properties"] |= {"jobs": schema, "total": {"type": "integer"}, "limit": {"type": "integer"}}
        return envelope


class JobViewSet(mixins.RetrieveModelMixin, HotViewSet):
    """Jobs of the caller."""

    hot_actions = frozenset({"create"})

    queryset = AIJob.objects.all()
    lookup_value_converter = "id"
    serializer_class = JobSerializer
    pagination_class = JobPagination
    filter_serializer = JobFilterSerializer
    body_limits: ClassVar[Mapping[str, int]] = {"create": JOB_BODY}
    required_scopes: ClassVar[Mapping[str, Scopes]] = {
        "create": "client", "cancel": "client", "list": READERS, "retrieve": READERS, "result": READERS,
        "payment": READERS, "receipt": READERS, "events": READERS, "explain": READERS, "stream": READERS,
    }  # fmt: skip

    def get_queryset(self) -> QuerySet[AIJob]:
        own = AIJob.objects.owned_by(self.actor.pk)
        if self.action == "list":
            own = own.not_deleted()
        return own if self.action == "retrieve" else own.defer("payload")

    def narrow(self, queryset: QuerySet[AIJob], filters: dict[str, Any]) -> QuerySet[AIJob]:
        return apply_filters(queryset, filters)

    @extend_schema(
        request=JobSubmitSerializer, responses={201: JobSerializer, **MONEY}, parameters=[IDEMPOTENCY_KEY, CLIENT]
    )
    def create(self, request: Request) -> HttpResponseBase:
        """Submit a job. With a payment it is queued as soon as the payment is held, without one at once."""
        return self.idempotently(IdempotencyRecord, self._submit)

    def _submit(self) -> Response:
        terms = read_terms(self.request.data)
        job = jobs.submit(owner_id=self.actor.pk, actor=f"client:{self.actor.pk}", **terms)
        return self.answer(represent(job), status=201)

    @extend_schema(parameters=[CLIENT])
    def list(self, request: Request) -> Response:
        """Jobs of the caller, newest first."""
        write = row_writer()
        rows = self.paginate_queryset(self.filter_queryset(self.get_queryset()).values(*write.columns))
        return self.get_paginated_response(write_each(write, rows or ()))

    @extend_schema(responses=JobDetailSerializer, parameters=[CLIENT])
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self.answer(self.get_object(), serializer=JobDetailSerializer)

    @extend_schema(request=CancelSerializer, responses=JobSerializer, parameters=[CLIENT])
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: UUID) -> Response:
        """Cancel the job at once; once it has started, the elapsed time is paid."""
        reason = self.validated(CancelSerializer)["reason"]
        return self.answer(jobs.cancel(job=self.get_object(), actor=f"client:{self.actor.pk}", reason=reason))

    @extend_schema(
        responses={
            200: JobResultSerializer, 425: OpenApiResponse(description="Not yet; see Retry-After."),
            410: OpenApiResponse(description="Removed; see `removed_at` and `removed_by`."),
        },
        parameters=[CLIENT],
    )  # fmt: skip
    @action(detail=True)
    def result(self, request: Request, pk: UUID) -> Response:
        """The result, or the error of a job that ended without one."""
        return self.answer(result_of(self.get_object()), serializer=JobResultSerializer)

    @extend_schema(responses=JobPaymentSerializer, parameters=[CLIENT])
    @action(detail=True)
    def payment(self, request: Request, pk: UUID) -> Response:
        """The job's payment: what is held, paid, charged and refunded."""
        return self.answer(payment_of(self.get_object()), serializer=JobPaymentSerializer)

    @extend_schema(responses=JobReceiptSerializer)
    @action(detail=True)
    def receipt(self, request: Request, pk: UUID) -> Response:
        """The signed receipt; 404 until it is issued."""
        return self.answer(receipt_of(self.get_object()), serializer=JobReceiptSerializer)

    @extend_schema(responses=JobEventsSerializer)
    @action(detail=True, pagination_class=None)
    def events(self, request: Request, pk: UUID) -> Response:
        """Every transition of the job, with who made it and why."""
        job = self.get_object()
        items = list(JobEvent.objects.filter(subject_id=job.pk).order_by("seq"))
        return self.answer({"job_id": job.pk, "items": items}, serializer=JobEventsSerializer)

    @extend_schema(responses=JobExplanationSerializer)
    @action(detail=True)
    def explain(self, request: Request, pk: UUID) -> Response:
        """Why the job waits: how many online miners pass each constraint, what relaxing each gains, its position."""
        return self.answer(explanation_of(self.get_object()), serializer=JobExplanationSerializer)

    @extend_schema(
        parameters=[OpenApiParameter("Last-Event-ID", str, "header"), OpenApiParameter("cursor", str, "query")],
        responses={(200, "text/event-stream"): OpenApiTypes.STR},
    )
    @action(detail=True, renderer_classes=[FastJSONRenderer, EventStreamRenderer])
    def stream(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Transitions (`state`) and progress as they happen, until the job has ended; resumes after Last-Event-ID."""
        seen = Cursor.read(request.headers.get("Last-Event-ID") or request.query_params.get("cursor"))
        job = self.get_object()
        chunk, cursor = new_events(job, seen)
        return stream_page(chunk, [f"job:{job.pk}"], str(cursor), done=job.is_final)
