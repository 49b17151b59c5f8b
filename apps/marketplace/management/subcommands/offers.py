"""`market search` and `market offers …`: find GPU time, and sell it."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import uuid4

from aitbc.core.cli import program
from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import HOURS, LIMIT, json_object, nonempty, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.errors import UsageError
from aitbc.core.cli.short_ids import add_id
from apps.marketplace.management.listed import ANY_OFFER, GPU, OWN_OFFER
from apps.marketplace.management.tables import offers as tables

OFFERS = "/marketplace/v1/marketplace/offers"
SEARCH_EXAMPLES = """\
  manage.py market search "gpu_ram>=8 dph<1"
  manage.py market search "gpu_model in [RTX_4090, RTX_3090] verified=true" --order dph
  manage.py market search "gpu_ram>=24" --model Llama-3.1-8B --order tokens_per_credit-
  manage.py market search "gpu_ram>=200 dph<0.1" --explain      why is nothing found?
  manage.py market search --for 7200 --gpus 2                   two GPUs, free for the next two hours
  manage.py market search --fields                              what can be searched for"""
OFFER_EXAMPLES = """\
  manage.py market offers list --state open,paused
  manage.py market offers create --gpu 0190f3c2 --price 0.42 --max-hours 168
  manage.py market offers create --specs '{"gpu_model": "RTX 3090", "memory_mb": 24576}' --price 0.20
  manage.py market offers edit 0190f3c2 --price 0.39 --reason weekend
  manage.py market offers pause 0190f3c2 --reason "new fans"
  manage.py market offers resume 0190f3c2 --reason "fans are in"
  manage.py market offers withdraw 0190f3c2 --reason sold
  manage.py market offers clone 0190f3c2 --json
  manage.py market offers history 0190f3c2 --json"""
OFFERS_ABOUT = "your offers: list, create, edit, pause, resume, withdraw, clone, history"
#: Flags of terms: (flag, name in the body, type, what it says).
TERMS: tuple[tuple[str, str, Any, str], ...] = (
    ("--price", "price_gpu_hour", AIT, "AIT per GPU and hour"),
    ("--storage-price", "price_storage_gb_month", AIT, "AIT per GB and month"),
    ("--title", "title", str, "a line of text"),
    ("--description", "description", str, "more text"),
    ("--pricing", "pricing", str, "fixed or dynamic"),
    ("--floor", "floor", AIT, "AIT; a dynamic price goes no lower"),
    ("--ceiling", "ceiling", AIT, "AIT; a dynamic price goes no higher"),
    ("--until", "available_until", str, "RFC 3339; the offer ends then"),
    ("--reclaim-notice", "reclaim_notice_s", whole(0, 2_592_000), "seconds of notice before you take the GPUs back"),
    ("--constraints", "constraints", str, "CEL over the renter and its demand"),
    ("--attributes", "attributes", json_object, "JSON object of your own facts"),
)


def add(command: VerbCommand, verbs: Any) -> None:
    search = command.verb(verbs, "search", "find GPU time by what it is, costs and is worth", run=show_search,
                          examples=SEARCH_EXAMPLES)  # fmt: skip
    _search_arguments(search)
    group = verbs.add_parser(
        "offers", help=OFFERS_ABOUT, description=OFFERS_ABOUT, epilog=f"examples:\n{OFFER_EXAMPLES}",
        formatter_class=program.HelpFormatter,
    )  # fmt: skip
    inner = group.add_subparsers(dest="what", required=True, metavar="what", parser_class=argparse.ArgumentParser)
    _offer_verbs(command, inner)


def _search_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", nargs="?", default="", help='terms, e.g. "gpu_ram>=8 dph<1"')
    parser.add_argument("--q", help="words of model, title, text")
    parser.add_argument("--order", help="fields with commas between; - behind descends (score-)")
    parser.add_argument("--model", help="language model that tokens_s and tokens_per_credit are of")
    parser.add_argument(
        "--for", dest="duration_s", type=whole(1, 366 * 86_400), help="seconds that the GPUs must be free"
    )
    parser.add_argument("--from", dest="starts_at", help="RFC 3339; with --for; else at once")
    parser.add_argument("--gpus", type=whole(1, 256), help="that must be free then (1)")
    parser.add_argument("--storage", dest="storage_gb", type=whole(0, 1_000_000), help="GB of storage to price in")
    parser.add_argument("--explain", action="store_true", help="say what each term removes")
    parser.add_argument("--fields", action="store_true", help="list the fields instead")
    parser.add_argument("--limit", type=LIMIT, default=20, help="offers of a page (20)")
    parser.add_argument("--cursor", help="of the page before")


def _offer_verbs(command: VerbCommand, verbs: Any) -> None:
    listing = command.verb(
        verbs, "list", "your offers, newest first", run=list_offers, scope="miner", examples=examples_of("list")
    )
    listing.add_argument("--state", help="open, paused, draft …; several with commas")
    listing.add_argument("--limit", type=LIMIT, default=20, help="offers of a page (20)")
    listing.add_argument("--cursor", help="of the page before")
    create = command.verb(
        verbs, "create", "offer GPUs", run=create_offer, scope="miner", examples=examples_of("create")
    )
    add_id(create, "--gpu", of=GPU, action="append", help="a registered card's id (may repeat)")
    create.add_argument("--specs", type=json_object, help="JSON description of cards that are not registered")
    create.add_argument("--draft", action="store_true", default=None, help="make it, but do not open it")
    create.add_argument("--id", dest="external_id", help="your own id for it")
    create.add_argument("--request-key", help="Idempotency-Key; the same key makes one offer only")
    edit = command.verb(
        verbs, "edit", "change its terms; bookings keep theirs", run=edit_offer, scope="miner",
        examples=examples_of("edit"),
    )  # fmt: skip
    add_id(edit, "offer_id", of=OWN_OFFER, help="its id")
    edit.add_argument(
        "--revision", type=whole(1, 2**31 - 1), help="refuse if it was changed since (else the newest is edited)"
    )
    edit.add_argument("--reason", type=nonempty, help="kept with the revision")
    for parser in (create, edit):
        _term_arguments(parser)
    for verb, about in (
        ("pause", "take no bookings for now"), ("resume", "open a draft or paused offer"),
        ("withdraw", "end it for good"), ("clone", "make a draft like it"),
    ):  # fmt: skip
        parser = command.verb(verbs, verb, about, run=change_offer, scope="miner", examples=examples_of(verb))
        parser.set_defaults(act=verb)
        add_id(parser, "offer_id", of=OWN_OFFER, help="its id")
        if verb != "clone":
            parser.add_argument("--reason", type=nonempty, help="kept with the offer")
    history = command.verb(
        verbs, "history", "its prices, edits and earnings", run=show_history, examples=examples_of("history")
    )
    add_id(history, "offer_id", of=ANY_OFFER, help="its id")


def examples_of(verb: str) -> str:
    """The examples that are about this verb."""
    return "\n".join(line for line in OFFER_EXAMPLES.splitlines() if f" offers {verb} " in line)


def _term_arguments(parser: argparse.ArgumentParser) -> None:
    for flag, name, kind, about in TERMS:
        parser.add_argument(flag, dest=name, type=kind, help=about)
    parser.add_argument("--min-hours", type=HOURS, help="shortest booking")
    parser.add_argument("--max-hours", type=HOURS, help="longest booking")
    parser.add_argument("--bonded", action=argparse.BooleanOptionalAction, help="pledge a bond for each booking")


def show_search(command: VerbCommand, **options: Any) -> None:
    if options["fields"]:
        known = command.call("GET", f"{OFFERS}/fields", shape=list)
        return command.show(known, tables.fields(known))
    names = ("filter", "q", "order", "model", "duration_s", "starts_at", "gpus", "storage_gb", "limit", "cursor")
    query = {name: options[name] for name in names if options.get(name)}
    if options["explain"]:
        query["explain"] = "true"
    found = command.call("GET", f"{OFFERS}/search", params=query)
    return command.show(found, tables.found(found, model=options["model"]))


def list_offers(command: VerbCommand, **options: Any) -> None:
    names = ("state", "limit", "cursor")
    page = command.call("GET", f"{OFFERS}/mine", params={name: options[name] for name in names if options.get(name)})
    command.show(page, tables.mine(page))


def create_offer(command: VerbCommand, *, gpu: list[str] | None, request_key: str | None, **options: Any) -> None:
    body = _terms(options) | _present(
        gpu_ids=gpu, specs=options["specs"], draft=options["draft"], external_id=options["external_id"]
    )
    if "price_gpu_hour" not in body:
        raise UsageError("Say what a GPU costs by the hour: --price 0.42")
    headers = {"Idempotency-Key": request_key or str(uuid4())}
    offer = command.call("POST", OFFERS, json=body, headers=headers)
    command.show(offer, tables.offer(offer))


def edit_offer(command: VerbCommand, *, offer_id: str, revision: int | None, **options: Any) -> None:
    body = _terms(options) | _present(reason=options["reason"])
    headers = {"If-Match": "*" if revision is None else f'"{revision}"'}
    offer = command.call("PATCH", f"{OFFERS}/{offer_id}", json=body, headers=headers)
    command.show(offer, tables.offer(offer))


def change_offer(command: VerbCommand, *, offer_id: str, act: str, reason: str | None = None, **_: Any) -> None:
    body = None if act == "clone" else {"reason": reason or ""}
    offer = command.call("POST", f"{OFFERS}/{offer_id}/{act}", json=body)
    command.show(offer, tables.offer(offer))


def show_history(command: VerbCommand, *, offer_id: str, **_: Any) -> None:
    answer = command.call("GET", f"{OFFERS}/{offer_id}/history")
    command.show(answer, tables.history(answer))


def _terms(options: dict[str, Any]) -> dict[str, Any]:
    hours = {"min_duration_s": options["min_hours"], "max_duration_s": options["max_hours"]}
    seconds = {name: round(value * 3600) for name, value in hours.items() if value is not None}
    return _present(bonded=options["bonded"], **{name: options[name] for _, name, _, _ in TERMS}) | seconds


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
