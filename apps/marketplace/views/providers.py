"""Routes of a provider's profile and reputation."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from aitbc.core.viewsets import PUBLIC, DomainViewSet, Scopes
from apps.marketplace.selectors import providers
from apps.marketplace.serializers.providers import ProfileSerializer, ReputationSerializer


class ProviderViewSet(DomainViewSet):
    """What is known of a provider."""

    required_scopes: ClassVar[dict[str, Scopes]] = dict.fromkeys(("profile", "reputation"), PUBLIC)

    @extend_schema(responses=ProfileSerializer)
    def profile(self, request: Request, provider_id: UUID) -> Response:
        """Since when it offers, what, how its bookings ended, and what renters say."""
        return self.answer(providers.profile(provider_id, now=timezone.now()), serializer=ProfileSerializer)

    @extend_schema(responses=ReputationSerializer)
    def reputation(self, request: Request, provider_id: UUID) -> Response:
        """One number, with its formula and all its inputs."""
        return self.answer(providers.reputation(provider_id, now=timezone.now()), serializer=ReputationSerializer)
