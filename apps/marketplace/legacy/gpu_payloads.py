"""How offers, bookings and reviews are written in the words of the legacy GPU marketplace."""

from __future__ import annotations

from typing import Any

from aitbc.core.aliases import alias
from aitbc.core.money import UNIT
from apps.marketplace.logic.durations import ms_between
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.selectors.listings import ModelPricing
from apps.marketplace.states import BookingState, OfferState


def gpu(offer: MarketplaceOffer) -> dict[str, Any]:
    return {
        "id": offer.pk, "gpu_id": offer.pk, "miner_id": str(offer.miner_id or offer.provider_id),
        "provider_id": offer.provider_id, "model": offer.gpu_model or offer.gpu_name,
        "memory_gb": round(offer.memory_mb / 1024, 2), "gpu_count": offer.gpu_count,
        "cuda_version": "" if offer.cuda is None else f"{offer.cuda:g}", "region": offer.region,
        "price_per_hour": in_ait(offer.price_gpu_hour), "status": status_of(offer),
        "capabilities": [name for name in (offer.architecture, offer.vendor, offer.device) if name],
        "verified": offer.verified, "created_at": offer.created_at.isoformat(),
        "average_rating": offer.rating or 0.0, "total_reviews": offer.reviews,
    }  # fmt: skip


def status_of(offer: MarketplaceOffer) -> str:
    return "available" if offer.state == OfferState.OPEN else "booked"


def hours(booking: GPUBooking) -> float:
    return round(ms_between(booking.starts_at, booking.ends_at) / 3_600_000, 4)


def under_way(booking: GPUBooking | None) -> dict[str, Any] | None:
    if booking is None:
        return None
    return {
        "booking_id": booking.pk, "duration_hours": hours(booking), "total_cost": in_ait(booking.escrow),
        "start_time": booking.starts_at.isoformat(), "end_time": booking.ends_at.isoformat(), "status": booking.state,
    }  # fmt: skip


def booked(booking: GPUBooking, job_id: str | None) -> dict[str, Any]:
    offer = booking.offer
    return {
        "booking_id": booking.pk, "gpu_id": offer.pk, "status": "booked", "state": booking.state,
        "total_cost": in_ait(booking.escrow), "base_price": in_ait(offer.base_price),
        "dynamic_price": in_ait(booking.price_gpu_hour), "price_per_hour": in_ait(booking.rate),
        "start_time": booking.starts_at.isoformat(), "end_time": booking.ends_at.isoformat(),
        "pricing_factors": {
            "gpu_count": booking.gpu_count, "pricing": offer.pricing,
            "multiplier": round(booking.price_gpu_hour / offer.base_price, 4),
        },
        "confidence_score": round(offer.reliability, 4), "job_id": job_id or None,
    }  # fmt: skip


def purchased(booking: GPUBooking, *, method: str, job_id: str | None) -> dict[str, Any]:
    paid = "pending" if booking.state == BookingState.REQUESTED else "held"
    return {
        "purchase_id": booking.pk, "booking_id": booking.pk, "gpu_id": booking.offer_id,
        "buyer_id": booking.renter_id, "job_id": job_id or None, "payment_id": booking.pk,
        "duration_hours": hours(booking), "total_cost": in_ait(booking.escrow),
        "price_per_hour": in_ait(booking.rate), "status": "purchased", "payment_method": method,
        "payment_status": paid, "start_time": booking.starts_at.isoformat(), "end_time": booking.ends_at.isoformat(),
    }  # fmt: skip


def released(offer: MarketplaceOffer, booking: GPUBooking | None) -> dict[str, Any]:
    if booking is None:
        nothing = {"status": "already_available", "booking_id": None, "refund": 0.0}
        return {**nothing, "gpu_id": offer.pk, "message": "You have no booking of this GPU under way."}
    back = booking.escrow - booking.owed
    message = "What was used is paid, once active at least the minimum charge; the rest comes back."
    return {
        "status": "released", "gpu_id": offer.pk, "booking_id": booking.pk, "refund": in_ait(back), "message": message,
    }  # fmt: skip


def order(booking: GPUBooking) -> dict[str, Any]:
    return {
        "order_id": booking.pk, "gpu_id": booking.offer_id, "gpu_model": booking.gpu_model,
        "miner_id": str(booking.miner_id or booking.provider_id), "duration_hours": hours(booking),
        "total_cost": in_ait(booking.escrow), "status": booking.outcome or booking.state,
        "created_at": booking.created_at.isoformat(), "job_id": None,
    }  # fmt: skip


def reviews(offer: MarketplaceOffer, rows: list[GPUReview]) -> dict[str, Any]:
    mean = sum(row.rating for row in rows) / len(rows) if rows else 0.0
    items = [
        {"rating": r.rating, "comment": r.text, "user": alias("renter", r.rater_id), "date": r.created_at.isoformat()}
        for r in rows
    ]
    return {"gpu_id": offer.pk, "average_rating": round(mean, 4), "total_reviews": len(rows), "reviews": items}


def pricing(found: ModelPricing) -> dict[str, Any]:
    asks, traded = found["asks"], [tick.price_gpu_hour for tick in found["trades"]]
    mean = sum(traded) / len(traded) if traded else None
    free = asks["free"] or 0
    best = next((offer for offer in found["offers"] if offer.state == OfferState.OPEN), None)
    return {
        "model": found["model"],
        "static_pricing": {
            "min_price": in_ait(asks["low"]), "max_price": in_ait(asks["high"]),
            "average_price": in_ait(float(asks["mean"])), "available_gpus": free, "total_gpus": asks["total"],
            "recommended_gpu": best.pk if best else None,
        },
        "dynamic_pricing": {
            "trades": len(traded), "last_price": in_ait(traded[0]) if traded else None, "average_price": in_ait(mean),
        },
        "price_comparison": {"asked_over_traded": round(float(asks["mean"]) / mean, 4) if mean else None},
        "individual_gpu_pricing": [
            {
                "gpu_id": o.pk, "price_per_hour": in_ait(o.price_gpu_hour), "base_price": in_ait(o.base_price),
                "region": o.region, "status": status_of(o),
            }
            for o in found["offers"]
        ],
        "market_analysis": {"offers": len(found["offers"]), "share_free": round(free / asks["total"], 4)},
        "pricing_timestamp": clock.now().isoformat(),
    }  # fmt: skip


def in_ait(amount: float | None) -> float | None:
    """An amount as legacy clients read it: a number of AIT."""
    return None if amount is None else round(amount / UNIT, 6)
