"""Offers: made, edited, paused, resumed, withdrawn, cloned; each edit is a revision that stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID, uuid5

from django.db import IntegrityError
from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.errors import DomainError
from aitbc.core.money import format_amount
from aitbc.core.states import begin
from apps.marketplace.errors import OfferBooked, OfferChanged, OfferInvalid, OfferTaken
from apps.marketplace.models import GPUBooking, MarketplaceOffer, OfferRevision, RegisteredGPU
from apps.marketplace.services import offer_refresh, offer_rules
from apps.marketplace.states import OfferState

#: What the provider of unregistered cards claims of them.
CLAIMS = (
    "gpu_name", "gpu_model", "vendor", "architecture", "memory_mb", "bandwidth_gbps", "fp32_tflops", "fp16_tflops",
    "tdp_w", "compute_capability", "cuda", "driver", "region", "up_mbps", "down_mbps",
)  # fmt: skip


AMOUNTS = ("price_gpu_hour", "price_storage_gb_month", "floor", "ceiling")


class OfferTerms(TypedDict, total=False):
    """What a provider may say of an offer, at first and later; amounts are micro-AIT, times aware UTC."""

    title: str
    description: str
    price_gpu_hour: int
    price_storage_gb_month: int
    pricing: str
    floor: int | None
    ceiling: int | None
    bonded: bool
    extend_at_same_price: bool
    min_duration_s: int
    max_duration_s: int
    available_from: datetime
    available_until: datetime | None
    reclaim_notice_s: int
    constraints: str
    attributes: dict[str, Any]


class NewOfferTerms(OfferTerms, total=False):
    """What is set once, when an offer is made: the client's own id, and the name the provider goes by."""

    external_id: str
    provider_name: str


TERMS = tuple(OfferTerms.__annotations__)


def create(
    *, provider_id: UUID, actor: str, gpu_ids: list[UUID] | None = None, specs: Mapping[str, Any] | None = None,
    draft: bool = False, **terms: Unpack[NewOfferTerms],
) -> MarketplaceOffer:  # fmt: skip
    """Offer registered GPUs (`gpu_ids`), or GPUs that are only described (`specs`, with a gpu_count), and return the
    offer.

    Raises OfferInvalid, CardsOverOffered, BondNotCovered, OfferTaken (external_id is used already).
    """
    if (gpu_ids is None) is (specs is None):
        raise OfferInvalid(gpu_ids="Name either gpu_ids (registered cards) or specs (unregistered ones).")
    external_id, provider_name = terms.pop("external_id", ""), terms.pop("provider_name", "")
    offer = MarketplaceOffer(provider_id=provider_id, external_id=external_id, provider_name=provider_name)
    _set_terms(offer, terms)
    with atomic(MarketplaceOffer):
        gpus = _take_slots(offer, gpu_ids, dict(specs or {}))
        return _opened(offer, gpus, actor=actor, draft=draft)


def edit(
    *, offer: MarketplaceOffer, revision: int | None, actor: str, reason: str = "", **terms: Unpack[OfferTerms]
) -> MarketplaceOffer:
    """Change terms, if the offer is still at this revision (None: any), and return it; bookings keep their price.

    Raises OfferChanged when it is not, StateConflict when the offer is over, OfferInvalid, BondNotCovered.
    """
    with atomic(MarketplaceOffer):
        offer = MarketplaceOffer.objects.locked().get(pk=offer.pk)
        if revision is not None and offer.revision != revision:
            raise OfferChanged(
                f"It is at revision {offer.revision}, not {revision}; read it again.", revision=offer.revision
            )
        if offer.is_final:
            raise offer.conflict(OfferState.OPEN)
        before = _terms(offer)
        _set_terms(offer, terms)
        changes = _changes(before, _terms(offer))
        if not changes:
            return offer
        now = timezone.now()
        offer_rules.check(offer, now)
        offer.revision, offer.updated_at = offer.revision + 1, now
        offer.save(update_fields=[*TERMS, "base_price", "revision", "updated_at"])
        _record(offer, changes, actor=actor, reason=reason)
        offer_refresh.refresh([offer.pk])
    return _fresh(offer)


def pause(*, offer: MarketplaceOffer, actor: str, reason: str = "") -> MarketplaceOffer:
    """Take no more bookings for now; returns the offer. Raises StateConflict."""
    offer.advance(OfferState.PAUSED, actor=actor, reason=reason or "paused")
    return offer


def resume(*, offer: MarketplaceOffer, actor: str, reason: str = "") -> MarketplaceOffer:
    """Open a draft or a paused offer to bookings and return it.

    Raises OfferInvalid when its time is over, StateConflict.
    """
    if offer.state in (OfferState.DRAFT, OfferState.PAUSED):
        offer_rules.check(offer, timezone.now())
    offer.advance(OfferState.OPEN, actor=actor, reason=reason or "opened")
    return offer


def withdraw(*, offer: MarketplaceOffer, actor: str, reason: str = "", if_unbooked: bool = False) -> MarketplaceOffer:
    """End the offer for good and return it; bookings made of it go on.

    With `if_unbooked` bookings under way forbid it. Raises OfferBooked then, StateConflict.
    """
    with atomic(MarketplaceOffer):
        if if_unbooked:
            offer = MarketplaceOffer.objects.locked().get(pk=offer.pk)
            if GPUBooking.objects.live().filter(offer=offer).exists():
                raise OfferBooked(
                    "It has bookings under way; pause it, and cancel it when they are over.", state=offer.state
                )
        offer.advance(OfferState.WITHDRAWN, actor=actor, reason=reason or "withdrawn")
    return offer


def clone(*, offer: MarketplaceOffer, actor: str) -> MarketplaceOffer:
    """Make a draft with the same terms over the same GPUs and return it. Raises what `create` raises."""
    terms = {name: getattr(offer, name) for name in TERMS} | {"price_gpu_hour": offer.base_price}
    until = offer.available_until
    if until is not None and until <= timezone.now():
        terms["available_until"] = None
    slots: dict[str, Any] = {"gpu_ids": list(offer.slots)}
    if not offer.backed:
        slots = {"specs": {"gpu_count": offer.gpu_count, **{name: getattr(offer, name) for name in CLAIMS}}}
    return create(
        provider_id=offer.provider_id, provider_name=offer.provider_name, actor=actor, draft=True, **slots, **terms
    )


def each(
    offers: Iterable[MarketplaceOffer], act: Callable[..., MarketplaceOffer], *, actor: str, reason: str
) -> tuple[int, list[str]]:
    """Do the same to many offers, for operators; return how many it was done to, and why not to the others."""
    done, refused = 0, []
    for offer in offers:
        try:
            act(offer=offer, actor=actor, reason=reason)
            done += 1
        except DomainError as error:
            refused.append(f"{offer.pk}: {error.detail}")
    return done, refused


def warnings_of(offer: MarketplaceOffer) -> list[str]:
    """Return what the provider should know: GPUs that are in other offers as well."""
    if not offer.backed:
        return []
    counts = offer_rules.others_over(list(offer.slots), but=offer.pk)
    return [
        f"Card {slot} is in {count} other offer{'s' if count > 1 else ''} too: whoever books first has it."
        for slot, count in counts.items()
        if count
    ]


def _take_slots(offer: MarketplaceOffer, gpu_ids: list[UUID] | None, specs: dict[str, Any]) -> list[RegisteredGPU]:
    """Say what is sold: registered cards, or made-up slots for cards that are only described."""
    offer.backed = gpu_ids is not None
    if gpu_ids is not None:
        gpus = offer_rules.gpus_of(offer.provider_id, gpu_ids)
        offer_rules.check_others(gpu_ids)
        offer.slots, offer.gpu_count = gpu_ids, len(gpu_ids)
        return gpus
    offer.gpu_count = specs.pop("gpu_count", 1)
    offer.slots = [uuid5(offer.pk, str(number)) for number in range(min(offer.gpu_count, offer_rules.MOST_GPUS))]
    for name, value in specs.items():
        setattr(offer, name, value)
    offer.gpu_name = offer.gpu_name or offer.gpu_model
    offer.gpu_model = offer.gpu_model or offer.gpu_name
    offer.rentable = True
    return []


def _opened(offer: MarketplaceOffer, gpus: list[RegisteredGPU], *, actor: str, draft: bool) -> MarketplaceOffer:
    now = timezone.now()
    offer_rules.check(offer, now)
    offer_refresh.apply(offer, gpus, offer_refresh.reliability_of(gpu.miner_id for gpu in gpus), now)
    try:
        with atomic(MarketplaceOffer):
            begin(offer, actor=actor)
    except IntegrityError as error:
        if "marketplace_offer_external" not in str(error):
            raise
        raise OfferTaken(f"You have an offer {offer.external_id!r} already.", external_id=offer.external_id) from None
    _record(offer, {}, actor=actor, reason="offered")
    if not draft:
        offer.advance(OfferState.OPEN, actor=actor, reason="offered")
    return _fresh(offer)


def _fresh(offer: MarketplaceOffer) -> MarketplaceOffer:
    return MarketplaceOffer.objects.get(pk=offer.pk)


def _set_terms(offer: MarketplaceOffer, terms: Mapping[str, Any]) -> None:
    for name, value in terms.items():
        if name not in TERMS:
            raise TypeError(f"{name} is no term of an offer")
        setattr(offer, name, value)
    if "price_gpu_hour" in terms:
        offer.base_price = terms["price_gpu_hour"]


def _terms(offer: MarketplaceOffer) -> dict[str, Any]:
    return {name: written(name, getattr(offer, name)) for name in TERMS}


def written(name: str, value: Any) -> Any:
    """Return a term's value as the history of an offer holds it: an amount in AIT, a time in ISO 8601."""
    if name in AMOUNTS and value is not None:
        return format_amount(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: [before[name], after[name]] for name in TERMS if before[name] != after[name]}


def _record(offer: MarketplaceOffer, changes: Mapping[str, Any], *, actor: str, reason: str) -> None:
    OfferRevision.objects.create(
        offer=offer, revision=offer.revision, price_gpu_hour=offer.price_gpu_hour, changes=dict(changes), actor=actor,
        reason=reason[:300],
    )  # fmt: skip
