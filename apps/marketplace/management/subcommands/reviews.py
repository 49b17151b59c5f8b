"""`market reviews|review|reply`: reviews of settled bookings."""

from __future__ import annotations

from typing import Any

from aitbc.core.cli.arguments import LIMIT, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.short_ids import add_id
from apps.marketplace.management.listed import ANY_OFFER, BOOKING, MARKET, PROVIDER, REVIEW
from apps.marketplace.management.subcommands.bookings import as_provider
from apps.marketplace.management.tables import bookings as tables

READ = """\
  manage.py market reviews --offer OFFER
  manage.py market reviews --provider PROVIDER --json"""
WRITE = """\
  manage.py market review BOOKING 5 --text "As promised." --speed 5
  manage.py market review BOOKING 3 --edit   within 48 hours"""
STARS = whole(1, 5)
DIMENSIONS = ("accuracy", "uptime", "speed", "comms")


def add(command: VerbCommand, verbs: Any) -> None:
    listing = command.verb(verbs, "reviews", "what renters and providers say", run=list_reviews, examples=READ)
    add_id(listing, "--offer", dest="offer_id", of=ANY_OFFER, help="of the bookings of this offer")
    add_id(listing, "--provider", dest="subject_id", of=PROVIDER, help="a provider's (or renter's) id")
    listing.add_argument("--limit", type=LIMIT, default=20, help="reviews of a page (20)")
    listing.add_argument("--cursor", help="of the page before")
    review = command.verb(verbs, "review", "review a settled booking of yours", run=write_review, examples=WRITE)
    add_id(review, "booking_id", of=BOOKING, help="its id")
    review.add_argument("rating", type=STARS, metavar="1…5", help="stars")
    review.add_argument("--text", help="at most 2,000 characters")
    review.add_argument("--edit", action="store_true", help="change the one you wrote")
    for name in DIMENSIONS:
        review.add_argument(f"--{name}", type=STARS, metavar="1…5", help="stars")
    reply = command.verb(
        verbs, "reply", "answer a review of yourself, once", run=write_reply,
        examples='  manage.py market reply REVIEW "Thank you." --as-provider',
    )  # fmt: skip
    add_id(reply, "review_id", of=REVIEW, help="the review's id")
    reply.add_argument("text", help="at most 2,000 characters")
    as_provider(review, reply)


def list_reviews(command: VerbCommand, **options: Any) -> None:
    names = ("offer_id", "subject_id", "limit", "cursor")
    page = command.call("GET", f"{MARKET}/reviews", params={n: options[n] for n in names if options[n]})
    command.show(page, tables.reviews(page))


def write_review(command: VerbCommand, *, booking_id: str, rating: int, edit: bool, **options: Any) -> None:
    dimensions = {name: options[name] for name in DIMENSIONS if options[name] is not None}
    body = {"rating": rating, **({"text": options["text"]} if options["text"] is not None else {})}
    body |= {"dimensions": dimensions} if dimensions else {}
    review = command.call("PATCH" if edit else "POST", f"{MARKET}/bookings/{booking_id}/review", json=body)
    command.show(review, tables.reviews({"items": [review]}))


def write_reply(command: VerbCommand, *, review_id: str, text: str, **_: Any) -> None:
    review = command.call("POST", f"{MARKET}/reviews/{review_id}/reply", json={"text": text})
    command.show(review, tables.reviews({"items": [review]}))
