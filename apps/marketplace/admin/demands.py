"""Demands for operators; a demand that must not go on is cancelled by its service."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import Act, ReadOnlyAdmin, Related, with_reason
from aitbc.core.errors import DomainError
from apps.marketplace.models import DemandTransition, MarketplaceDemand
from apps.marketplace.services import demands


@admin.register(MarketplaceDemand)
class DemandAdmin(ReadOnlyAdmin):
    list_display = ("id", "state", "title", "gpu_count", "budget_hour", "auction", "closes_at", "created_at")
    list_filter = ("state", "auction")
    search_fields = ("=id", "=renter_id", "=external_id", "title")
    ordering = ("-created_at",)
    actions = ("cancel",)
    related = (
        Related("history", "marketplace.demandtransition", "subject_id"),
        Related("bids", "marketplace.marketplacebid", "demand_id"),
        Related("award", "marketplace.award", "demand_id"),
        Related("bookings", "marketplace.gpubooking", "demand_id"),
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("marketplace.change_marketplacedemand"))

    @admin.action(description="Cancel, with a reason: bonds go back", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        actor = f"operator:{request.user.get_username()}"

        def run(chosen: QuerySet[Any], reason: str) -> int:
            done = 0
            for demand in chosen:
                try:
                    demands.cancel(demand=demand, actor=actor, reason=reason)
                    done += 1
                except DomainError as error:
                    messages.warning(request, f"{demand}: {error.detail}")
            return done

        effect = "Each demand ends without an award; its bids are lost and their bonds go back. This cannot be undone."
        return with_reason(self, request, queryset, Act("cancel", "Cancel demands", effect, run))


@admin.register(DemandTransition)
class DemandTransitionAdmin(ReadOnlyAdmin):
    """Who changed a demand's state, from which to which, and why."""

    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    list_filter = ("to_state",)
    search_fields = ("=subject_id", "actor")
    ordering = ("-id",)
