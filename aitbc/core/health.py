"""Liveness and readiness, for load balancers, supervisors and people."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core import metrics
from aitbc.core.errors import Unavailable
from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from aitbc.domains import LABELS, Domain, served

LATE_SECONDS = 60.0


class NotReady(Unavailable):
    """The domain's database does not answer."""

    retry_after = 2.0


class HealthSerializer(serializers.Serializer[Any]):
    """Alive."""

    status = serializers.CharField()
    service = serializers.CharField()


class ReadySerializer(serializers.Serializer[Any]):
    """Able to do its work; `late` when messages to other domains are overdue by more than a minute."""

    status = serializers.ChoiceField(choices=["ready", "late"])
    service = serializers.CharField()
    outbox_waiting = serializers.IntegerField(help_text="Counted up to 10,000 for each consumer.")
    outbox_dead = serializers.IntegerField(help_text="Counted up to 10,000 for each consumer.")
    outbox_overdue_seconds = serializers.FloatField()


class ServiceSerializer(serializers.Serializer[Any]):
    """One domain and where it answers."""

    name = serializers.CharField()
    title = serializers.CharField()
    prefix = serializers.CharField()
    url = serializers.CharField()
    port = serializers.IntegerField(help_text="The port it has when it runs as a process of its own.")
    health = serializers.ChoiceField(["healthy", "unavailable"], help_text="Whether its database answers.")


class ServicesSerializer(serializers.Serializer[Any]):
    """The domains this process serves: as a list, and each under its name as the legacy gateway has them."""

    services = ServiceSerializer(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), **{label: ServiceSerializer(required=False) for label in LABELS}}


class HealthViewSet(DomainViewSet):
    """Liveness without any input or output, readiness with the domain's database."""

    required_scopes: ClassVar[dict[str, Scopes]] = {"live": PUBLIC, "ready": PUBLIC, "services": PUBLIC}
    authentication_classes = ()
    throttle_classes = ()
    serializer_class = HealthSerializer
    pagination_class = None
    label: str = ""

    @extend_schema(responses=HealthSerializer)
    def live(self, request: Request) -> Response:
        """Whether the process answers, without looking at a database."""
        return self.answer({"status": "healthy", "service": f"{self.label}-service" if self.label else "aitbc"})

    @extend_schema(responses=ReadySerializer)
    def ready(self, request: Request) -> Response:
        """Whether the domain's database answers, and how far its messages are behind."""
        outbox = metrics.outbox_status(self.label)
        if outbox is None:
            raise NotReady()
        return self.answer(
            {
                "status": "late" if outbox.overdue_seconds > LATE_SECONDS else "ready",
                "service": f"{self.label}-service",
                "outbox_waiting": outbox.waiting,
                "outbox_dead": outbox.dead,
                "outbox_overdue_seconds": round(outbox.overdue_seconds, 3),
            }
        )

    @extend_schema(responses=ServicesSerializer)
    def services(self, request: Request) -> Response:
        """Which domains there are, where each answers, and whether it can."""
        found = [described(domain) for domain in served(settings.AITBC_SERVICES)]
        return self.answer({"services": found, **{one["name"]: one for one in found}})


def described(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.label,
        "title": domain.title,
        "prefix": f"/{domain.prefix}",
        "url": f"{settings.PUBLIC_URL.rstrip('/')}/{domain.prefix}",
        "port": domain.port,
        "health": "unavailable" if metrics.outbox_status(domain.label) is None else "healthy",
    }
