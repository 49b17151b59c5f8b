"""Registered back-ends."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.money import format_amount
from aitbc.core.pagination import KeysetPagination
from aitbc.core.schema import IDEMPOTENCY_KEY, REUSED
from aitbc.core.viewsets import Scopes
from apps.gpu.models import Backend, IdempotencyRecord
from apps.gpu.serializers.backends import BackendInputSerializer, BackendSerializer
from apps.gpu.services import backends, miners
from apps.gpu.views.identity import ActorView
from apps.gpu.views.miners import OWNERS


class BackendViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ActorView):
    """Model servers that cannot poll: the exchange polls them for models and feeds them work."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        **dict.fromkeys(("list", "retrieve"), OWNERS),
        **dict.fromkeys(("create", "destroy"), ("miner", "operator")),
    }
    queryset = Backend.objects.select_related("miner")
    serializer_class = BackendSerializer
    pagination_class = KeysetPagination
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[Backend]:
        rows = super().get_queryset()
        return rows if self.actor.may("operator") else rows.filter(owner_id=self.actor.pk)

    @extend_schema(
        request=BackendInputSerializer, responses={201: BackendSerializer, **REUSED}, parameters=[IDEMPOTENCY_KEY]
    )
    def create(self, request: Request) -> Any:
        """Register a model server; only an operator's may be on http or a private address."""
        data = self.validated(BackendInputSerializer)
        price = None if data["price"] is None else format_amount(data["price"])
        caller = miners.Caller(self.actor.pk, str(self.actor.key_id), self.actor.key_prefix)

        def produce() -> Response:
            registration = backends.Registration(**{**data, "price": price})
            added = backends.add(registration, caller=caller, allow_listed=self.actor.may("operator"))
            return self.answer(added, status=201)

        return self.idempotently(IdempotencyRecord, produce)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Take a model server out of service."""
        backends.remove(self.get_object(), actor=self.actor_name())
        return Response(status=204)
