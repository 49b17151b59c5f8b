"""A small domain of its own for the tests of the API's rules: real viewsets on real tables."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import OperationalError, connections
from django.urls import path
from rest_framework import mixins, serializers

from aitbc.accounts.models import AuditEntry
from aitbc.core.errors import StateConflict
from aitbc.core.ids import uuid7
from aitbc.core.messaging.models import NEVER
from aitbc.core.serializers import AmountField, ObjectField, ResourceSerializer, StrictSerializer
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from aitbc.urls import handler400, handler403, handler404, handler500  # noqa: F401
from aitbc.urls import urlpatterns as project
from apps.trading.models import IdempotencyRecord, Outbox


class EchoSerializer(StrictSerializer):
    """What the echo takes."""

    name = serializers.CharField(max_length=20)
    amount = AmountField(default=0)
    count = serializers.IntegerField(default=0)
    extra = ObjectField(default=dict)


class EntrySerializer(ResourceSerializer):
    class Meta:
        model = AuditEntry
        fields = ("id", "action", "at")


class EntryFilter(StrictSerializer):
    action = serializers.CharField(required=False, max_length=20)
    id = serializers.UUIDField(required=False)


class EchoViewSet(DomainViewSet):
    """Answers what it was sent, and counts in the audit table."""

    required_scopes: ClassVar[dict[str, Scopes]] = {
        "create": "client",
        "once": "client",
        "broken": PUBLIC,
        "conflict": PUBLIC,
        "down": PUBLIC,
    }
    body_limits: ClassVar[dict[str, int]] = {"once": 1000}
    serializer_class = EchoSerializer

    def create(self, request: Any) -> Any:
        return self.answer({"owner": str(self.actor.pk), **self.validated(EchoSerializer)}, status=201)

    def once(self, request: Any, pk: str = "") -> Any:
        def produce() -> Any:
            data = self.validated(EchoSerializer)
            row = Outbox.objects.create(
                message_id=uuid7(), consumer="nobody", name="echo", key=data["name"], payload=data, due_at=NEVER
            )
            if data["name"] == "clash":
                raise StateConflict("It is done.", state="done", allowed=[])
            return self.answer({"id": str(row.message_id), **data}, status=201)

        return self.idempotently(IdempotencyRecord, produce)

    def shut(self, request: Any) -> Any:
        return self.answer({})

    def broken(self, request: Any) -> Any:
        raise RuntimeError("a bug")

    def conflict(self, request: Any) -> Any:
        raise StateConflict("It is done.", state="done", allowed=["reopened"])

    def down(self, request: Any) -> Any:
        with connections["default"].cursor() as sql:
            sql.execute("DO $$ BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = '53100'; END $$")
        raise OperationalError("unreachable")


class EntryViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, DomainViewSet):
    """The audit table as a list."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"list": "client", "retrieve": "client"}
    queryset = AuditEntry.objects.filter(subject="listed")
    serializer_class = EntrySerializer
    filter_serializer = EntryFilter


urlpatterns = [
    path("echo", EchoViewSet.as_view({"post": "create"})),
    path("echo/once", EchoViewSet.as_view({"post": "once"})),
    path("echo/once/<pk>", EchoViewSet.as_view({"post": "once"})),
    path("echo/shut", EchoViewSet.as_view({"get": "shut"})),
    path("echo/broken", EchoViewSet.as_view({"get": "broken"})),
    path("echo/conflict", EchoViewSet.as_view({"get": "conflict"})),
    path("echo/down", EchoViewSet.as_view({"get": "down"})),
    path("entries", EntryViewSet.as_view({"get": "list"})),
    path("entries/<pk>", EntryViewSet.as_view({"get": "retrieve"})),
    *project,
]
