"""Admin pages of the marketplace, a module per aggregate."""

from django.contrib import admin

from aitbc.core.admin import OutboxAdmin
from apps.marketplace.admin import (  # noqa: F401
    awards,
    bids,
    bookings,
    demands,
    gpus,
    offers,
    prices,
    quotes,
    reliability,
    reviews,
)
from apps.marketplace.models import Outbox

admin.site.register(Outbox, OutboxAdmin)
