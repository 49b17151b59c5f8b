"""The outbox of the governance domain in the admin: dead letters are redelivered or dropped here."""

from __future__ import annotations

from django.contrib import admin

from aitbc.core.admin import OutboxAdmin
from apps.governance.models import Outbox

admin.site.register(Outbox, OutboxAdmin)
