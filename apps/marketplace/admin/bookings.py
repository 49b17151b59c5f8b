"""Bookings, their slots and extensions for operators, who cancel with a reason."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import Act, ReadOnlyAdmin, Related, with_reason
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
    related = (
        Related("history", "marketplace.bookingtransition", "subject_id"),
        Related("slots", "marketplace.bookingslice", "booking_id"),
        Related("extensions", "marketplace.bookingextension", "booking_id"),
        Related("reviews", "marketplace.gpureview", "booking_id"),
        Related("reservation", "gpu.reservation", "booking_id"),
        Related("cards", "gpu.gpuregistry", "booking_id"),
        Related("escrow", "trading.escrow", "booking_id"),
        Related("receipts", "trading.receipt", "booking_id"),
        Related("transfers", "trading.transfer", "ref"),
    )

    @admin.action(description="Cancel on the provider's account, with a reason", permissions=["act"])
    def cancel_for_provider(self, request: HttpRequest, queryset: QuerySet[GPUBooking]) -> HttpResponse | None:
        effect = (
            "Each booking ends now, as if its provider had cancelled: the provider's bond pays the renter up to an "
            "hour's price, and what was not used goes back to the renter. This cannot be undone."
        )
        return self._cancel(request, queryset, "cancel_for_provider", effect, party="provider_id")

    @admin.action(description="Cancel on the renter's account, with a reason", permissions=["act"])
    def cancel_for_renter(self, request: HttpRequest, queryset: QuerySet[GPUBooking]) -> HttpResponse | None:
        effect = (
            "Each booking ends now, as if its renter had cancelled: the renter pays what was used, once active at "
            "least the minimum charge, and the rest goes back. This cannot be undone."
        )
        return self._cancel(request, queryset, "cancel_for_renter", effect, party="renter_id")

    def _cancel(
        self, request: HttpRequest, queryset: QuerySet[GPUBooking], name: str, effect: str, *, party: str
    ) -> HttpResponse | None:
        def run(chosen: QuerySet[GPUBooking], reason: str) -> int:
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

        return with_reason(self, request, queryset, Act(name, "Cancel bookings", effect, run))


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
