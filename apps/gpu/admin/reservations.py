"""Bookings as gpu sees them, read-only."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import ReadOnlyAdmin
from apps.gpu.models import (
    Reservation,
)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = (
        "booking_id", "miner_id", "renter_id", "starts_at", "ends_at", "held_at", "ready_at", "started_at", "broken_at",
        "closed_at",
    )  # fmt: skip
    search_fields = ("=booking_id", "=miner_id", "=renter_id")
