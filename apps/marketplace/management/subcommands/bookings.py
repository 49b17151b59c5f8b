"""`market quote|book|bookings|show|extend|cancel|end|ready|reclaim`: renting GPU time from the shell."""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Iterator
from typing import Any

from rich.live import Live

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import HOURS, LIMIT, MINUTES, nonempty, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.errors import Failure
from aitbc.core.cli.short_ids import add_id
from aitbc.core.cli.text import json_text
from apps.marketplace.management.listed import BOOKING, MARKET, OPEN_OFFER
from apps.marketplace.management.tables import bookings as tables
from apps.marketplace.states import BOOKING_FINAL

GOOD = "ended"  # the outcome of a booking that ran to its end
BEFORE = {"requested", "reserved", "provisioning"}
EVERY_S = 1.0
QUOTE = """\
  manage.py market quote OFFER --hours 24
  manage.py market quote OFFER --gpus 2 --minutes 30 --storage 200 --json"""
BOOK = """\
  manage.py market book OFFER --hours 1 --watch
  manage.py market book OFFER --gpus 2 --hours 8 --at 2026-12-01T08:00:00Z
  manage.py market book --quote QUOTE"""
LIST = """\
  manage.py market bookings
  manage.py market bookings --role provider --state active,reclaiming"""
EXIT_CODES = """\
exit codes of --watch and --wait:
  0    --watch: the booking ran to its end and is settled; --wait: it is active
  1    it ended otherwise (cancelled, no show, failed hardware, insufficient funds), or the exchange answered an error
  2    the arguments are wrong
  130  interrupted (Ctrl-C); the booking goes on
"""
SHOW = """\
  manage.py market show BOOKING
  manage.py market show BOOKING --watch      follow it until it is settled"""


def add(command: VerbCommand, verbs: Any) -> None:
    quote = command.verb(verbs, "quote", "keep a price open for a minute", run=make_quote, examples=QUOTE)
    add_id(quote, "offer_id", of=OPEN_OFFER, help="an offer's id")
    terms_of(quote)
    book = command.verb(verbs, "book", "rent GPUs, now or later", run=make_booking, examples=BOOK)
    add_id(book, "offer_id", of=OPEN_OFFER, nargs="?", help="an offer's id, unless --quote names one")
    book.add_argument("--quote", dest="quote_id", help="the whole id of a quote of yours that is still open")
    terms_of(book)
    book.add_argument("--request-key", help="Idempotency-Key: the same key never books twice")
    book.add_argument("--watch", action="store_true", help="follow it until it is settled")
    book.add_argument("--wait", action="store_true", help="return when it is active; exit 1 if it will not be")
    listing = command.verb(verbs, "bookings", "your bookings, newest first", run=list_bookings, examples=LIST)
    listing.add_argument("--role", choices=("renter", "provider"), help="what you are in them (both)")
    listing.add_argument("--state", help="one or several, with commas between")
    listing.add_argument("--limit", type=LIMIT, default=20, help="bookings of a page (20)")
    listing.add_argument("--cursor", help="of the page before")
    show = command.verb(verbs, "show", "a booking and its timeline", run=show_booking, examples=SHOW)
    add_id(show, "booking_id", of=BOOKING, help="its id")
    show.add_argument("--watch", action="store_true", help="follow it until it is settled")
    as_provider(listing, show)
    for parser in (book, show):
        parser.epilog = f"{EXIT_CODES}\n{parser.epilog}"
    add_verbs_of_parties(command, verbs)


def add_verbs_of_parties(command: VerbCommand, verbs: Any) -> None:
    extend = command.verb(
        verbs, "extend", "more time for a booking", run=extend_booking,
        examples="  manage.py market extend BOOKING --hours 2 --max-rate 0.80",
    )  # fmt: skip
    span_of(extend)
    extend.add_argument("--max-rate", type=AIT, help="AIT per hour at most; above it nothing happens")
    cancel = command.verb(
        verbs, "cancel", "end a booking, as its renter or its provider", run=act("cancel", "reason"),
        examples='  manage.py market cancel BOOKING --reason "not needed"\n'
        '  manage.py market cancel BOOKING --as-provider --reason "broken fan"',
    )  # fmt: skip
    end = command.verb(
        verbs, "end", "you need it no longer: pay what was used", run=act("end"),
        examples="  manage.py market end BOOKING",
    )  # fmt: skip
    ready = command.verb(
        verbs, "ready", "your GPUs are ready for the renter", run=act("ready"), scope="miner",
        examples="  manage.py market ready BOOKING",
    )  # fmt: skip
    reclaim = command.verb(
        verbs, "reclaim", "you want your GPUs back, with notice", run=act("reclaim", "reason", "at"), scope="miner",
        examples="  manage.py market reclaim BOOKING --at 2026-12-01T08:00:00Z --reason sold",
    )  # fmt: skip
    for parser in (extend, cancel, end, ready, reclaim):
        add_id(parser, "booking_id", of=BOOKING, help="its id")
    for parser in (cancel, reclaim):
        parser.add_argument("--reason", type=nonempty, help="kept with the booking")
    as_provider(cancel)
    reclaim.add_argument("--at", help="RFC 3339; else as soon as the offer's notice allows")


def as_provider(*parsers: argparse.ArgumentParser) -> None:
    """Add --as-provider: these verbs are the renter's by default."""
    for parser in parsers:
        parser.add_argument(
            "--as-provider", action="store_const", const="miner", dest="verb_scope",
            help="with the provider's key (AITBC_MINER_KEY)",
        )  # fmt: skip


def terms_of(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gpus", type=whole(1, 1024), dest="gpu_count", help="how many (all of the offer's)")
    parser.add_argument("--at", dest="starts_at", help="RFC 3339; else at once")
    parser.add_argument("--storage", type=whole(0, 1_000_000), dest="storage_gb", help="GB")
    span_of(parser)


def span_of(parser: argparse.ArgumentParser) -> None:
    span = parser.add_mutually_exclusive_group()
    span.add_argument("--hours", type=HOURS, help="for how long (1)")
    span.add_argument("--minutes", type=MINUTES, help="the same in minutes")


def seconds(options: dict[str, Any]) -> int | None:
    """Return the requested time, or None without --hours and --minutes."""
    if options.get("hours") is not None:
        return int(round(options["hours"] * 3600))
    return int(round(options["minutes"] * 60)) if options.get("minutes") is not None else None


def selected(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name) is not None}


def make_quote(command: VerbCommand, *, offer_id: str, **options: Any) -> None:
    body = {"offer_id": offer_id, "duration_s": seconds(options) or 3600}
    body |= selected(options, "gpu_count", "starts_at", "storage_gb")
    quote = command.call("POST", f"{MARKET}/quotes", json=body)
    command.show(quote, tables.quote(quote))


def make_booking(command: VerbCommand, *, watch: bool, wait: bool, request_key: str | None, **options: Any) -> None:
    body = selected(options, "quote_id", "offer_id", "gpu_count", "starts_at", "storage_gb")
    if "quote_id" not in body or seconds(options) is not None:
        body["duration_s"] = seconds(options) or 3600
    headers = {"Idempotency-Key": request_key or str(uuid.uuid4())}
    booking = command.call("POST", f"{MARKET}/bookings", json=body, headers=headers)
    if wait:
        booking = once_active(command, booking)
    if watch:
        follow(command, booking["id"])
    else:
        command.show(booking, tables.booking(booking))


def once_active(command: VerbCommand, booking: dict[str, Any]) -> dict[str, Any]:
    """Return the booking when its meter runs. Raises Failure when it is over before that."""
    while booking["state"] in BEFORE:
        time.sleep(EVERY_S)
        booking = command.call_patiently("GET", f"{MARKET}/bookings/{booking['id']}")
    if booking["state"] != "active":
        state = booking["state"]
        raise Failure(f"Booking {booking['id']} is {state.replace('_', ' ')}; `market show` says why.", code=state)
    return booking


def list_bookings(command: VerbCommand, **options: Any) -> None:
    page = command.call("GET", f"{MARKET}/bookings", params=selected(options, "role", "state", "limit", "cursor"))
    command.show(page, tables.bookings(page))


def show_booking(command: VerbCommand, *, booking_id: str, watch: bool, **_: Any) -> None:
    if watch:
        follow(command, booking_id)
        return
    booking, timeline = both(command, booking_id)
    command.show({**booking, "events": timeline["items"]}, tables.booking(booking, timeline["items"]))


def both(command: VerbCommand, booking_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    path = f"{MARKET}/bookings/{booking_id}"
    return command.call_patiently("GET", path), command.call_patiently("GET", f"{path}/events")


def follow(command: VerbCommand, booking_id: str) -> None:
    """Show the booking as it changes until it is over; exit 1 unless it ran to its end."""
    booking = as_lines(command, booking_id) if command.as_json or command.quiet else as_table(command, booking_id)
    if booking["outcome"] != GOOD:
        outcome = booking["outcome"] or booking["state"]
        raise Failure(f"Booking {booking_id} is over: {outcome.replace('_', ' ')}.", code=outcome)


def as_lines(command: VerbCommand, booking_id: str) -> dict[str, Any]:
    """Write a line of JSON for each state, or only the id with --quiet; return the booking as it ended."""
    last = ""
    for booking, _ in seen(command, booking_id):
        if command.as_json and booking["state"] != last:
            command.stdout.write(json_text(booking))
            command.stdout.flush()
        last = booking["state"]
    if command.quiet:
        command.show(booking)
    return booking


def as_table(command: VerbCommand, booking_id: str) -> dict[str, Any]:
    """Show a table that changes with the booking; return it as it ended."""
    with Live(console=command.console, refresh_per_second=4) as live:
        for booking, events in seen(command, booking_id):
            live.update(tables.booking(booking, events))
    return booking


def seen(command: VerbCommand, booking_id: str) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The booking and its timeline, again and again, until it is over."""
    while True:
        booking, timeline = both(command, booking_id)
        yield booking, timeline["items"]
        if booking["state"] in BOOKING_FINAL:
            return
        time.sleep(EVERY_S)


def extend_booking(command: VerbCommand, *, booking_id: str, **options: Any) -> None:
    body = {"duration_s": seconds(options) or 3600, **selected(options, "max_rate")}
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    extension = command.call("POST", f"{MARKET}/bookings/{booking_id}/extend", json=body, headers=headers)
    command.show(extension, tables.fields("Extension: the end moves as soon as the money is set aside", extension))


def act(verb: str, *names: str) -> Any:
    """A verb that is one POST and shows the booking."""

    def run(command: VerbCommand, *, booking_id: str, **options: Any) -> None:
        booking = command.call("POST", f"{MARKET}/bookings/{booking_id}/{verb}", json=selected(options, *names))
        command.show(booking, tables.booking(booking))

    return run
