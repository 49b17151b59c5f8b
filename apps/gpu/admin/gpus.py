"""GPUs of the registry, read-only; quarantine and release with a reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import Act, ReadOnlyAdmin, Related, with_reason
from aitbc.core.errors import DomainError
from apps.gpu.models import (
    GPURegistry,
    GPUTransition,
)
from apps.gpu.services import uuid_disputes


@admin.register(GPURegistry)
class GPUAdmin(ReadOnlyAdmin):
    list_display = (
        "name", "kind", "profile", "memory_mb", "miner", "state", "reason", "verified_at", "score", "booking_id",
        "seen_at",
    )  # fmt: skip
    list_filter = ("state", "kind", "profile__vendor", "paused")
    list_select_related = ("miner", "profile")
    search_fields = ("name", "=uuid", "=id", "=booking_id", "=owner_id", "miner__name")
    actions = ("quarantine", "release")
    related = (
        Related("history", "gpu.gputransition", "subject_id"), Related("benchmarks", "gpu.gpubenchmark", "gpu_id"),
        Related("commands", "gpu.minercommand", "gpu_id"), Related("measurements", "gpu.edgegpumetrics", "gpu_id"),
        Related("in the marketplace", "marketplace.registeredgpu", "id"),
    )  # fmt: skip

    def has_judge_permission(self, request: HttpRequest) -> bool:
        """Whoever may change cards may also judge claims to them, though no form may edit one."""
        return bool(request.user.has_perm("gpu.change_gpuregistry"))

    @admin.action(description="Quarantine, with a reason", permissions=["judge"])
    def quarantine(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        effect = "Each card gets no more work and no more bookings until it is released or passes a benchmark."
        run = self._each(request, "quarantine", uuid_disputes.confine)
        return with_reason(self, request, queryset, Act("quarantine", "Quarantine cards", effect, run))

    @admin.action(description="Release from quarantine, with a reason", permissions=["judge"])
    def release(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        effect = "Each card may be used again; one whose UUID another miner claims too is refused until that has ended."
        run = self._each(request, "release", uuid_disputes.release)
        return with_reason(self, request, queryset, Act("release", "Release cards", effect, run))

    def _each(
        self, request: HttpRequest, action: str, service: Callable[..., Any]
    ) -> Callable[[QuerySet[Any], str], int]:
        return lambda gpus, reason: sum(self._one(request, gpu, action, service, reason) for gpu in gpus)

    def _one(
        self, request: HttpRequest, gpu: GPURegistry, action: str, service: Callable[..., Any], reason: str
    ) -> bool:
        """One card may be refused without the others being so."""
        try:
            service(gpu, reason=reason, actor=f"user:{request.user}")
        except DomainError as error:
            messages.error(request, f"{gpu}: {error.detail}")
            return False
        self.log_change(request, gpu, f"{action}: {reason}")
        return True


@admin.register(GPUTransition)
class GPUTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)
