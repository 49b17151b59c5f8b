"""Reviews of settled bookings by their parties, and the rating that follows from them (logic/rating.py)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Q

from aitbc.core.db import atomic
from aitbc.core.errors import Invalid
from apps.marketplace.errors import (
    AnsweredAlready,
    NotSettledYet,
    NotTheProvider,
    NotTheRenter,
    ReviewedAlready,
    ReviewTooLate,
)
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.selectors.reviews import standing_of
from apps.marketplace.states import BookingState, OfferState

WINDOW = timedelta(days=30)


EDITABLE = timedelta(hours=48)


DIMENSIONS = ("accuracy", "uptime", "speed", "comms")


Subject = GPUReview.Subject


def write(
    *, booking: GPUBooking, rater_id: UUID, stars: int, text: str = "", dimensions: Mapping[str, int] | None = None,
    now: datetime | None = None,
) -> GPUReview:  # fmt: skip
    """Write one party's review, once, within 30 days after the end, and return it.

    Raises NotSettledYet, ReviewTooLate, ReviewedAlready.
    """
    now = now or clock.now()
    if booking.state != BookingState.SETTLED or booking.ended_at is None:
        raise NotSettledYet(f"The booking is {booking.state}.", state=booking.state, allowed=["settled"])
    if now > booking.ended_at + WINDOW:
        raise ReviewTooLate("A booking is reviewed within 30 days after its end.")
    by_renter = rater_id == booking.renter_id
    review = GPUReview(
        booking=booking, rater_id=rater_id, subject_id=booking.provider_id if by_renter else booking.renter_id,
        subject=Subject.PROVIDER if by_renter else Subject.RENTER, rating=stars, text=text, created_at=now,
        dimensions=dict(dimensions or {}),
    )  # fmt: skip
    with atomic(GPUReview):
        try:
            with atomic(GPUReview):
                review.save(force_insert=True)
        except IntegrityError as error:
            if "marketplace_review_once" not in str(error):
                raise
            raise ReviewedAlready("You can change it for 48 hours.") from None
        flag_pair(booking.renter_id, booking.provider_id)
        refresh(review)
    review.refresh_from_db(fields=["reciprocal"])
    return review


def edit(
    *, review: GPUReview, stars: int | None = None, text: str | None = None,
    dimensions: Mapping[str, int] | None = None, now: datetime | None = None,
) -> GPUReview:  # fmt: skip
    """Change one's own review within 48 hours and return it. Raises ReviewTooLate."""
    now = now or clock.now()
    if now > review.created_at + EDITABLE:
        raise ReviewTooLate("A review is changed within 48 hours after it was written.")
    with atomic(GPUReview):
        row = GPUReview.objects.select_for_update().get(pk=review.pk)
        row.rating = row.rating if stars is None else stars
        row.text = row.text if text is None else text
        row.dimensions = row.dimensions if dimensions is None else dict(dimensions)
        row.edited_at = now
        row.save(update_fields=["rating", "text", "dimensions", "edited_at"])
        refresh(row)
    return row


def reply(*, review: GPUReview, author_id: UUID, text: str, now: datetime | None = None) -> GPUReview:
    """Answer a review, once, as who was reviewed, and return it.

    Raises NotTheProvider, NotTheRenter, AnsweredAlready.
    """
    if author_id != review.subject_id:
        raise NotTheProvider() if review.subject == Subject.PROVIDER else NotTheRenter()
    written = GPUReview.objects.filter(pk=review.pk, reply="").update(reply=text, replied_at=now or clock.now())
    if not written:
        raise AnsweredAlready()
    return GPUReview.objects.get(pk=review.pk)


def hide(*, review: GPUReview, reason: str) -> GPUReview:
    """Take a review out of sight and out of the rating, and return it. Raises Invalid without a reason."""
    if not reason.strip():
        raise Invalid("Hiding a review needs a reason.")
    return _set_hidden(review, reason.strip()[:300])


def show(*, review: GPUReview) -> GPUReview:
    """Bring a hidden review back and return it."""
    return _set_hidden(review, "")


def _set_hidden(review: GPUReview, reason: str) -> GPUReview:
    with atomic(GPUReview):
        row = GPUReview.objects.select_for_update().get(pk=review.pk)
        row.hidden_reason = reason
        row.save(update_fields=["hidden_reason"])
        refresh(row)
    return row


def of_booking(booking: GPUBooking, rater_id: UUID) -> GPUReview | None:
    """Return this rater's review of the booking, or None."""
    return booking.reviews.filter(rater_id=rater_id).first()


def flag_pair(one: UUID, other: UUID) -> None:
    """Mark every review between two parties that have paid each other as reciprocal: shown, but not counted."""
    used = GPUBooking.objects.filter(owed__gt=0)
    ways = ((one, other), (other, one))
    both = all(used.filter(renter_id=renter, provider_id=provider).exists() for renter, provider in ways)
    between = Q(rater_id=one, subject_id=other) | Q(rater_id=other, subject_id=one)
    GPUReview.objects.filter(between).exclude(reciprocal=both).update(reciprocal=both)


def refresh(review: GPUReview) -> None:
    """Copy the provider's new rating to its offers; a renter's rating is on none."""
    provider_id = review.subject_id if review.subject == Subject.PROVIDER else review.rater_id
    standing = standing_of(provider_id)
    over = [OfferState.EXPIRED, OfferState.WITHDRAWN]
    offers = MarketplaceOffer.objects.owned_by(provider_id).exclude(state__in=over).order_by("pk")
    ids = list(offers.select_for_update(no_key=True).values_list("pk", flat=True))
    MarketplaceOffer.objects.filter(pk__in=ids).update(rating=standing.rating, reviews=standing.count)
