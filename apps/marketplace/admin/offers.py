"""Offers and their revisions for operators, who pause and withdraw with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import Act, ReadOnlyAdmin, Related, with_reason
from apps.marketplace.models import MarketplaceOffer, OfferRevision, OfferTransition
from apps.marketplace.services import offers


@admin.register(MarketplaceOffer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "state", "gpu_model", "gpu_count", "price_gpu_hour", "region", "provider_id", "verified", "rentable",
        "backed", "score", "revision", "created_at",
    )  # fmt: skip
    list_filter = ("state", "verified", "rentable", "backed", "bonded", "pricing", "device", "vendor")
    search_fields = ("=id", "=provider_id", "=miner_id", "=external_id", "gpu_model", "title")
    ordering = ("-created_at",)
    exclude = ("words", "model_key")
    actions = ("pause", "withdraw")
    related = (
        Related("history", "marketplace.offertransition", "subject_id"),
        Related("revisions", "marketplace.offerrevision", "offer_id"),
        Related("bookings", "marketplace.gpubooking", "offer_id"),
        Related("quotes", "marketplace.quote", "offer_id"),
        Related("bids with it", "marketplace.marketplacebid", "offer_id"),
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Pausing and withdrawing are changes, though no form may make them."""
        return bool(request.user.has_perm("marketplace.change_marketplaceoffer"))

    @admin.action(description="Pause, with a reason", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        effect = "Each offer takes no more bookings until its provider resumes it. Bookings made of it go on."
        return self._each(request, queryset, "pause", effect, offers.pause)

    @admin.action(description="Withdraw, with a reason", permissions=["operate"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        effect = "Each offer ends for good. Bookings made of it go on. This cannot be undone."
        return self._each(request, queryset, "withdraw", effect, offers.withdraw)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[Any], name: str, effect: str, service: Any
    ) -> HttpResponse | None:
        def run(chosen: QuerySet[Any], reason: str) -> int:
            done, refused = offers.each(chosen, service, actor=f"operator:{request.user.get_username()}", reason=reason)
            for why in refused:
                messages.warning(request, why)
            for offer in chosen:
                self.log_change(request, offer, f"{name}: {reason}")
            return done

        return with_reason(self, request, queryset, Act(name, f"{name.capitalize()} offers", effect, run))


@admin.register(OfferRevision)
class OfferRevisionAdmin(ReadOnlyAdmin):
    list_display = ("offer_id", "revision", "price_gpu_hour", "changes", "actor", "reason", "at")
    search_fields = ("=offer__id", "actor", "reason")
    list_filter = ("at",)
    ordering = ("-id",)


@admin.register(OfferTransition)
class OfferTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    list_filter = ("to_state",)
    search_fields = ("=subject_id", "actor")
    ordering = ("-id",)
