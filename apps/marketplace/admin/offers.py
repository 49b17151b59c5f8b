"""Offers and their revisions for operators, who pause and withdraw with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from aitbc.core.admin import ReadOnlyAdmin, with_reason
from aitbc.core.money import format_amount
from apps.marketplace.models import MarketplaceOffer, OfferRevision, OfferTransition
from apps.marketplace.services import offers


@admin.register(MarketplaceOffer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "state", "gpu_model", "gpu_count", "price", "region", "provider_id", "verified", "rentable", "backed",
        "score", "revision", "created_at",
    )  # fmt: skip
    list_filter = ("state", "verified", "rentable", "backed", "bonded", "pricing", "device", "vendor")
    search_fields = ("=id", "=provider_id", "=miner_id", "=external_id", "gpu_model", "title")
    ordering = ("-created_at",)
    exclude = ("words", "model_key")
    actions = ("pause", "withdraw")

    @admin.display(description="AIT per GPU and hour", ordering="price_gpu_hour")
    def price(self, offer: MarketplaceOffer) -> str:
        return format_amount(offer.price_gpu_hour)

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Pausing and withdrawing are changes, though no form may make them."""
        return bool(request.user.has_perm("marketplace.change_marketplaceoffer"))

    @admin.action(description="Pause, with a reason", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._each(request, queryset, "pause", offers.pause)

    @admin.action(description="Withdraw, with a reason", permissions=["operate"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._each(request, queryset, "withdraw", offers.withdraw)

    def _each(self, request: HttpRequest, queryset: QuerySet[Any], name: str, service: Any) -> HttpResponse | None:
        def act(chosen: QuerySet[Any], reason: str) -> int:
            done, refused = offers.each(chosen, service, actor=f"operator:{request.user.get_username()}", reason=reason)
            for why in refused:
                messages.warning(request, why)
            for offer in chosen:
                self.log_change(request, offer, f"{name}: {reason}")
            return done

        return with_reason(self, request, queryset, action=name, title=f"{name.capitalize()} offers", act=act)


@admin.register(OfferRevision)
class OfferRevisionAdmin(ReadOnlyAdmin):
    list_display = ("offer_id", "revision", "price", "changes", "actor", "reason", "at")
    search_fields = ("=offer__id", "actor", "reason")
    list_filter = ("at",)
    ordering = ("-id",)

    @admin.display(description="AIT per GPU and hour", ordering="price_gpu_hour")
    def price(self, revision: OfferRevision) -> str:
        return format_amount(revision.price_gpu_hour)


@admin.register(OfferTransition)
class OfferTransitionAdmin(ReadOnlyAdmin):
    list_display = ("subject_id", "seq", "from_state", "to_state", "actor", "reason", "at")
    list_filter = ("to_state",)
    search_fields = ("=subject_id", "actor")
    ordering = ("-id",)
