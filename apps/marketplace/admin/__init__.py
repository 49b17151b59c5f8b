"""Admin pages of the marketplace, a module per aggregate."""

from django.contrib import admin

from aitbc.core.admin import OutboxAdmin
from apps.marketplace.admin import auctions, bookings, prices  # noqa: F401
from apps.marketplace.models import Outbox

admin.site.register(Outbox, OutboxAdmin)
