"""The rules an offer must meet before it is saved; every one that is broken is reported at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from aitbc.core import params
from aitbc.core.errors import DomainError
from aitbc.core.money import UNIT, format_amount
from apps.marketplace.constraints import evaluation
from apps.marketplace.errors import BondNotCovered, CardsOverOffered, OfferInvalid
from apps.marketplace.models import MarketplaceOffer, RegisteredGPU
from apps.marketplace.models.offers import LIVE
from apps.marketplace.services.terms import bond_for
from apps.trading import interface as trading

MOST_GPUS = 256
MOST_OFFERS_PER_GPU = 10
LONGEST = timedelta(days=366)
LARGEST_PRICE = 10**6 * UNIT  # of one GPU and hour; keeps every sum of it within 63 bits
MOST_ATTRIBUTE_BYTES = 4096


def check(offer: MarketplaceOffer, now: datetime) -> None:
    """Raise OfferInvalid with everything that is wrong, or BondNotCovered."""
    wrong = dict(_wrong(offer, now))
    if wrong:
        raise OfferInvalid(**wrong)
    _check_bond(offer)


def _wrong(offer: MarketplaceOffer, now: datetime) -> Iterator[tuple[str, str]]:
    yield from _wrong_prices(offer)
    yield from _wrong_times(offer, now)
    if not 1 <= offer.gpu_count <= MOST_GPUS:
        yield "gpu_count", f"It must be from 1 to {MOST_GPUS}."
    if len(orjson.dumps(offer.attributes)) > MOST_ATTRIBUTE_BYTES:
        yield "attributes", f"They must be at most {MOST_ATTRIBUTE_BYTES} bytes."
    if offer.constraints:
        try:
            evaluation.check(offer.constraints)
        except DomainError as error:
            yield "constraints", error.detail


def _wrong_prices(offer: MarketplaceOffer) -> Iterator[tuple[str, str]]:
    if not 0 < offer.base_price <= LARGEST_PRICE:
        yield "price_gpu_hour", f"It must be more than 0 and at most {format_amount(LARGEST_PRICE)} AIT."
    if offer.price_storage_gb_month > LARGEST_PRICE:
        yield "price_storage_gb_month", f"It must be at most {format_amount(LARGEST_PRICE)} AIT."
    low, high = offer.floor, offer.ceiling
    if low is not None and high is not None and low > high:
        yield "floor", "It must not be above the ceiling."
    elif low is not None and offer.base_price < low:
        yield "floor", "It must not be above the price."
    elif high is not None and offer.base_price > high:
        yield "ceiling", "It must not be below the price."


def _wrong_times(offer: MarketplaceOffer, now: datetime) -> Iterator[tuple[str, str]]:
    longest = int(LONGEST.total_seconds())
    if offer.min_duration_s < 1:
        yield "min_duration_s", "It must be at least 1 second."
    elif not offer.min_duration_s <= offer.max_duration_s <= longest:
        yield "max_duration_s", f"It must be from min_duration_s ({offer.min_duration_s}) to {longest} seconds."
    least = params.get("market.reclaim_min_s")
    if offer.reclaim_notice_s < least:
        yield "reclaim_notice_s", f"It must be at least {least} seconds."
    until = offer.available_until
    if until is None:
        return
    if until <= now:
        yield "available_until", "It must not be in the past."
    elif (until - max(now, offer.available_from)).total_seconds() < offer.min_duration_s:
        yield "available_until", "It leaves no time for even the shortest booking."


def _check_bond(offer: MarketplaceOffer) -> None:
    if not offer.bonded:
        return
    needed = bond_for(int(offer.price_gpu_hour * offer.gpu_count))
    available = trading.available(offer.provider_id)
    if available < needed:
        raise BondNotCovered(
            f"Each booking needs a bond of {format_amount(needed)} AIT; {format_amount(available)} AIT are available."
            " Deposit more, or offer without a bond.",
            needed=format_amount(needed),
            available=format_amount(available),
        )


def gpus_of(provider_id: UUID, gpu_ids: list[UUID]) -> list[RegisteredGPU]:
    """Return the provider's GPUs by these ids, locked until the offer over them is saved. Raises OfferInvalid."""
    if not gpu_ids:
        raise OfferInvalid(gpu_ids="Name at least one card.")
    if len(set(gpu_ids)) != len(gpu_ids):
        raise OfferInvalid(gpu_ids="A card is named twice.")
    gpus = {
        gpu.pk: gpu
        for gpu in RegisteredGPU.objects.filter(pk__in=gpu_ids, owner_id=provider_id)
        .order_by("pk")
        .select_for_update(no_key=True)
    }
    absent = [str(one) for one in gpu_ids if one not in gpus]
    if absent:
        raise OfferInvalid(gpu_ids=f"You have no registered card {', '.join(absent[:5])}.")
    chosen = [gpus[one] for one in gpu_ids]
    if len({gpu.miner_id for gpu in chosen}) > 1:
        raise OfferInvalid(gpu_ids="The cards are of several miners; an offer is of one.")
    _check_retired(chosen)
    return chosen


def _check_retired(gpus: list[RegisteredGPU]) -> None:
    gone = [str(gpu.pk) for gpu in gpus if gpu.state in ("retired", "quarantined")]
    if gone:
        raise OfferInvalid(gpu_ids=f"Retired or quarantined: {', '.join(gone[:5])}.")


def others_over(slots: list[UUID], but: UUID | None = None) -> dict[UUID, int]:
    """Return in how many live offers (but one) each of these slots is."""
    others = MarketplaceOffer.objects.filter(state__in=LIVE).over_any(slots)
    if but is not None:
        others = others.exclude(pk=but)
    counts = dict.fromkeys(slots, 0)
    for listed in others.values_list("slots", flat=True):
        for slot in counts.keys() & set(listed):
            counts[slot] += 1
    return counts


def check_others(slots: list[UUID]) -> None:
    """Raise CardsOverOffered for a GPU that is in too many offers already."""
    for slot, count in others_over(slots).items():
        if count >= MOST_OFFERS_PER_GPU:
            raise CardsOverOffered(f"Card {slot} is in {count} offers already; withdraw one first.", gpu_id=str(slot))
