"""Reviews for operators: hidden and shown again with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import Act, Related, with_reason
from apps.marketplace.admin.bookings import ChangingAdmin
from apps.marketplace.models import GPUReview
from apps.marketplace.services import reviews


@admin.register(GPUReview)
class ReviewAdmin(ChangingAdmin):
    list_display = ("id", "subject", "rating", "text", "reciprocal", "hidden_reason", "rater_id", "created_at")
    list_filter = ("subject", "rating", "reciprocal")
    search_fields = ("=id", "=booking__id", "=rater_id", "=subject_id", "text")
    actions = ("hide", "show")
    related = (Related("who is reviewed", "accounts.organisation", "id", own="subject_id"),)

    @admin.action(description="Hide, with a reason", permissions=["act"])
    def hide(self, request: HttpRequest, queryset: QuerySet[GPUReview]) -> HttpResponse | None:
        def run(chosen: QuerySet[GPUReview], reason: str) -> int:
            return self._each(request, chosen, f"hidden: {reason}", lambda r: reviews.hide(review=r, reason=reason))

        effect = "Each review is shown to nobody but its writer and counts in no rating, until it is shown again."
        return with_reason(self, request, queryset, Act("hide", "Hide reviews", effect, run))

    @admin.action(description="Show again", permissions=["act"])
    def show(self, request: HttpRequest, queryset: QuerySet[GPUReview]) -> None:
        done = self._each(request, queryset, "shown again", lambda review: reviews.show(review=review))
        messages.success(request, f"Shown again: {done}")

    def _each(self, request: HttpRequest, chosen: QuerySet[GPUReview], what: str, change: Any) -> int:
        for review in chosen:
            change(review)
            self.log_change(request, review, what)
        return len(chosen)
