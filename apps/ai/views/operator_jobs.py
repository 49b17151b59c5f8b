"""The endpoints of /ai/admin/jobs: all jobs, for operators, without their payloads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.schema import IDEMPOTENCY_KEY, REUSED
from aitbc.core.viewsets import DomainViewSet, Scopes
from apps.ai.models import AIJob, IdempotencyRecord
from apps.ai.serializers.job_filters import JobFilterSerializer, apply_filters
from apps.ai.serializers.operator_jobs import (
    AdminJobDetailSerializer,
    AdminJobSerializer,
    DeleteSerializer,
    PrioritizeSerializer,
)
from apps.ai.services import operator_actions
from apps.ai.views.jobs import JobPagination


class AdminJobViewSet(mixins.ListModelMixin, DomainViewSet):
    """All jobs, for operators; each action is recorded with its reason."""

    queryset = AIJob.objects.all()
    lookup_value_converter = "id"
    serializer_class = AdminJobSerializer
    pagination_class = JobPagination
    filter_serializer = JobFilterSerializer
    required_scopes: ClassVar[Mapping[str, Scopes]] = dict.fromkeys(
        ("list", "retrieve", "destroy", "prioritize"), "operator"
    )

    def get_queryset(self) -> QuerySet[AIJob]:
        return AIJob.objects.defer("payload")

    def narrow(self, queryset: QuerySet[AIJob], filters: dict[str, Any]) -> QuerySet[AIJob]:
        return apply_filters(queryset, filters)

    @property
    def operator(self) -> str:
        return f"operator:{self.actor.key_prefix}"

    @extend_schema(responses=AdminJobDetailSerializer)
    def retrieve(self, request: Request, pk: UUID) -> Response:
        return self.answer(self.get_object(), serializer=AdminJobDetailSerializer)

    @extend_schema(request=DeleteSerializer, responses={200: AdminJobSerializer})
    def destroy(self, request: Request, pk: UUID) -> Response:
        """Hide the job from its owner; an unfinished one is cancelled with a full refund."""
        reason = self.validated(DeleteSerializer)["reason"]
        return self.answer(operator_actions.delete(job=self.get_object(), actor=self.operator, reason=reason))

    @extend_schema(
        request=PrioritizeSerializer, responses={200: AdminJobSerializer, **REUSED}, parameters=[IDEMPOTENCY_KEY]
    )
    @action(detail=True, methods=["post"])
    def prioritize(self, request: Request, pk: UUID) -> HttpResponseBase:
        """Move a waiting job to the front of the queue, or to the priority named."""
        return self.idempotently(IdempotencyRecord, self._prioritize)

    def _prioritize(self) -> Response:
        fields = self.validated(PrioritizeSerializer)
        return self.answer(operator_actions.prioritize(job=self.get_object(), actor=self.operator, **fields))
