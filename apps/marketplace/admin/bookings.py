"""Bookings, their slots and extensions for operators, who cancel with a reason."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import ReadOnlyAdmin, with_reason
from aitbc.core.errors import DomainError
from apps.marketplace.models import BookingExtension, BookingSlice, BookingTransition, GPUBooking
from apps.marketplace.services import bookings


class ChangingAdmin(ReadOnlyAdmin):
    """No form changes a row, but actions do, for who may change it."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        opts = self.opts
        return bool(request.user.has_perm(f"{opts.app_label}.change_{opts.model_name}"))


@admin.register(GPUBooking)
class BookingAdmin(ChangingAdmin):
    list_display = (
        "id", "state", "outcome", "gpu_count", "gpu_model", "rate", "starts_at", "ends_at", "escrow", "owed", "paid",
        "refunded", "compensation", "renter_id", "provider_id",
    )  # fmt: skip
    list_filter = ("state", "outcome", "kind", "region")
    search_fields = ("=id", "=offer__id", "=renter_id", "=provider_id", "=miner_id")
    actions = ("cancel_for_provider", "cancel_for_renter")

    @admin.action(description="Cancel on the provider's account, with a reason", permissions=["act"])
    def cancel_for_provider(self, request: HttpRequest, queryset: QuerySet[GPUBooking]) -> HttpResponse | None:
        return self._cancel(request, queryset, action="cancel_for_provider", party="provider_id")

    @admin.action(description="Cancel on the renter's account, with a reason", permissions=["act"])
    def cancel_for_renter(self, request: HttpRequest, queryset: QuerySet[GPUBooking]) -> HttpResponse | None:
        return self._cancel(request, queryset, action="cancel_for_renter", party="renter_id")

    def _cancel(
        self, request: HttpRequest, queryset: QuerySet[GPUBooking], *, action: str, party: str
    ) -> HttpResponse | None:
        def act(chosen: QuerySet[GPUBooking], reason: str) -> int:
            done = 0
            for booking in chosen:
                try:
                    bookings.cancel(
                        booking=booking, party_id=getattr(booking, party), actor=f"user:{request.user}", reason=reason
                    )
                    self.log_change(request, booking, f"cancelled: {reason}")
                    done += 1
                except DomainError as error:
                    messages.error(request, f"{booking}: {error.detail}")
            return done

        return with_reason(self, request, queryset, action=action, title="Cancel bookings", act=act)


@admin.register(BookingSlice)
class SliceAdmin(ReadOnlyAdmin):
    list_display = ("id", "booking", "slot", "period", "live")
    list_filter = ("live",)
    search_fields = ("=slot", "=booking__id")


@admin.register(BookingExtension)
class ExtensionAdmin(ReadOnlyAdmin):
    list_display = ("id", "booking", "seconds", "rate", "amount", "state", "created_at")
    list_filter = ("state",)
    search_fields = ("=id", "=booking__id")


@admin.register(BookingTransition)
class BookingTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    list_filter = ("to_state",)
    search_fields = ("=subject_id",)
