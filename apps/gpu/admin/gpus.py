"""Cards, their models, bookings and orders to look at; quarantine and release with a reason, models of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import DomainAdmin, ReadOnlyAdmin, with_reason
from aitbc.core.errors import DomainError
from apps.gpu.models import (
    ConsumerGPUProfile,
    EdgeGPUMetrics,
    GPURegistry,
    GPUTransition,
    MinerHour,
    MinerOrder,
    OrderTransition,
    Reservation,
)
from apps.gpu.services import catalogue, uuid_disputes


@admin.register(ConsumerGPUProfile)
class ProfileAdmin(DomainAdmin):
    """What an operator saves becomes its own row, which the catalogue's file never overwrites."""

    list_display = (
        "model", "vendor", "architecture", "year", "memory_gb", "bandwidth_gbps", "fp32_tflops", "fp16_tflops", "tdp_w",
        "consumer_grade", "edge_optimized", "source",
    )  # fmt: skip
    list_filter = ("vendor", "architecture", "consumer_grade", "edge_optimized", "source")
    search_fields = ("model",)
    readonly_fields = ("source", "updated_at")

    def save_model(self, request: HttpRequest, obj: ConsumerGPUProfile, form: Any, change: bool) -> None:
        catalogue.keep(obj)


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

    def has_judge_permission(self, request: HttpRequest) -> bool:
        """Whoever may change cards may also judge claims to them, though no form may edit one."""
        return bool(request.user.has_perm("gpu.change_gpuregistry"))

    @admin.action(description="Quarantine, with a reason", permissions=["judge"])
    def quarantine(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._judge(request, queryset, "quarantine", "Quarantine cards", uuid_disputes.confine)

    @admin.action(description="Release from quarantine, with a reason", permissions=["judge"])
    def release(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._judge(request, queryset, "release", "Release cards", uuid_disputes.release)

    def _judge(
        self, request: HttpRequest, queryset: QuerySet[Any], action: str, title: str, service: Callable[..., Any]
    ) -> HttpResponse | None:
        def act(chosen: QuerySet[Any], reason: str) -> int:
            return sum(self._one(request, card, action, service, reason) for card in chosen)

        return with_reason(self, request, queryset, action=action, title=title, act=act)

    def _one(
        self, request: HttpRequest, card: GPURegistry, action: str, service: Callable[..., Any], reason: str
    ) -> bool:
        """One card may be refused without the others being so."""
        try:
            service(card, reason=reason, actor=f"user:{request.user}")
        except DomainError as error:
            messages.error(request, f"{card}: {error.detail}")
            return False
        self.log_change(request, card, f"{action}: {reason}")
        return True


@admin.register(GPUTransition)
class GPUTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)


@admin.register(EdgeGPUMetrics)
class EdgeGPUMetricsAdmin(ReadOnlyAdmin):
    list_display = (
        "gpu_id", "at", "gpu_utilization_percent", "memory_used_mb", "power_draw_w", "temperature_celsius",
        "thermal_throttling_active", "power_limit_active",
    )  # fmt: skip
    search_fields = ("=gpu__id",)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = (
        "booking_id", "miner_id", "renter_id", "starts_at", "ends_at", "held_at", "ready_at", "started_at", "broken_at",
        "closed_at",
    )  # fmt: skip
    search_fields = ("=booking_id", "=miner_id", "=renter_id")


@admin.register(MinerOrder)
class MinerOrderAdmin(ReadOnlyAdmin):
    list_display: ClassVar[tuple[str, ...]] = ("id", "miner", "gpu", "kind", "state", "actor", "created_at", "ended_at")
    list_filter = ("kind", "state")
    list_select_related = ("miner", "gpu")
    search_fields = ("=id", "miner__name")


@admin.register(OrderTransition)
class OrderTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    search_fields = ("=subject_id",)


@admin.register(MinerHour)
class MinerHourAdmin(ReadOnlyAdmin):
    list_display = ("miner_id", "hour", "minutes_heard")
    search_fields = ("=miner_id",)

    @admin.display(description="Minutes heard")
    def minutes_heard(self, row: MinerHour) -> int:
        return row.minutes.bit_count()
