"""`market reviews|review|reply`: reviews of settled bookings."""

from __future__ import annotations

from typing import Any

from aitbc.core.cli.commands import VerbCommand
from apps.marketplace.management.subcommands.bookings import as_provider
from apps.marketplace.management.tables import bookings as tables

MARKET = "/marketplace/v1/marketplace"
REVIEWS = """\
  manage.py market reviews --offer OFFER
  manage.py market reviews --provider PROVIDER --json"""
REVIEW = """\
  manage.py market review BOOKING 5 --text "As promised." --speed 5
  manage.py market review BOOKING 3 --edit   within 48 hours"""
DIMENSIONS = ("accuracy", "uptime", "speed", "comms")


def add(command: VerbCommand, verbs: Any) -> None:
    listing = command.verb(verbs, "reviews", "what renters and providers say", run=list_reviews, examples=REVIEWS)
    listing.add_argument("--offer", dest="offer_id")
    listing.add_argument("--provider", dest="subject_id", help="a provider's (or renter's) id")
    listing.add_argument("--limit", type=int, default=20)
    review = command.verb(verbs, "review", "review a settled booking of yours", run=write_review, examples=REVIEW)
    review.add_argument("booking_id")
    review.add_argument("rating", type=int, choices=range(1, 6), metavar="1…5")
    review.add_argument("--text", help="at most 2,000 characters")
    review.add_argument("--edit", action="store_true", help="change the one you wrote")
    for name in DIMENSIONS:
        review.add_argument(f"--{name}", type=int, choices=range(1, 6), metavar="1…5")
    reply = command.verb(verbs, "reply", "answer a review of yourself, once", run=write_reply)
    reply.add_argument("review_id")
    reply.add_argument("text")
    as_provider(review, reply)


def list_reviews(command: VerbCommand, **options: Any) -> None:
    names = ("offer_id", "subject_id", "limit")
    page = command.call("GET", f"{MARKET}/reviews", params={n: options[n] for n in names if options[n]})
    command.show(page, tables.reviews(page))
    if not command.as_json and not page["items"]:
        command.console.print("No reviews yet: they are written after settled bookings, with `market review`.")


def write_review(command: VerbCommand, *, booking_id: str, rating: int, edit: bool, **options: Any) -> None:
    dimensions = {name: options[name] for name in DIMENSIONS if options[name] is not None}
    body = {"rating": rating, **({"text": options["text"]} if options["text"] is not None else {})}
    body |= {"dimensions": dimensions} if dimensions else {}
    review = command.call("PATCH" if edit else "POST", f"{MARKET}/bookings/{booking_id}/review", json=body)
    command.show(review, tables.reviews({"items": [review]}))


def write_reply(command: VerbCommand, *, review_id: str, text: str, **_: Any) -> None:
    review = command.call("POST", f"{MARKET}/reviews/{review_id}/reply", json={"text": text})
    command.show(review, tables.reviews({"items": [review]}))
