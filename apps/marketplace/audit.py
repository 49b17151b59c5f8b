"""What must always be true of the marketplace; each part has its own page of invariants."""

from __future__ import annotations

from apps.marketplace import audit_auctions, audit_bookings, audit_prices  # noqa: F401
