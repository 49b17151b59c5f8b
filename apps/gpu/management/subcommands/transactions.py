"""`gpu offer|bid|orders|status|accept|match|cancel|providers`: buy and sell GPU time as the legacy shell did."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.management.base import CommandError

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import HOURS, LIMIT, json_object, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.errors import ApiProblem
from aitbc.core.cli.short_ids import Listed, add_id
from aitbc.core.cli.tables import Grid, coloured

PATH = "/gpu/v1/transactions"
TYPE = "gpu_marketplace"
ORDERS = Listed("order", (f"{PATH}?transaction_type={TYPE}",), key="transaction_id")


def add(command: VerbCommand, verbs: Any) -> None:
    offer = command.verb(
        verbs, "offer", "offer GPUs by the hour", run=make_offer, scope="miner",
        examples="  manage.py gpu offer 2 0.60 24 --specs '{\"model\": \"RTX 4090\", \"memory_gb\": 24}'\n",
    )  # fmt: skip
    bid = command.verb(
        verbs, "bid", "ask for GPUs at no more than a price", run=make_bid,
        examples="  manage.py gpu bid 2 0.70 24 --specs '{\"model\": \"RTX 4090\"}'\n",
    )  # fmt: skip
    for parser, price in ((offer, "AIT per GPU and hour"), (bid, "AIT per GPU and hour, at most")):
        parser.add_argument("count", type=whole(1, 1000), help="how many GPUs")
        parser.add_argument("price", type=AIT, help=price)
        parser.add_argument("hours", type=HOURS, help="for how long")
        parser.add_argument("--specs", type=json_object, default={}, help="JSON object: model, memory_gb, region …")
        parser.add_argument("--description", default="", help="a line of text")
        parser.add_argument("--id", help="your own name for it (else one is made)")
    add_listing(command, verbs)
    add_matching(command, verbs)


def add_listing(command: VerbCommand, verbs: Any) -> None:
    orders = command.verb(
        verbs, "orders", "list open offers and bids, and your own in any state", run=list_orders,
        examples="  manage.py gpu orders --type bid --status active\n  manage.py gpu orders --max-price 1 --json\n",
    )  # fmt: skip
    orders.add_argument("--type", choices=("offer", "bid", "all"), default="all", help="offers, bids or both (all)")
    orders.add_argument("--status", help="active, pending, matched, cancelled, completed, expired")
    orders.add_argument("--provider", help="the name an order was made under")
    orders.add_argument("--model", help="part of the name")
    orders.add_argument("--max-price", type=AIT, help="AIT per GPU and hour")
    orders.add_argument("--limit", type=LIMIT, default=50, help="orders at most (50)")
    status = command.verb(
        verbs, "status", "show one offer or bid", run=show_order, examples="  manage.py gpu status gpu_bid_1f0c…\n"
    )
    add_id(status, "order", of=ORDERS, help="its id, yours or the exchange's")
    command.verb(
        verbs, "providers", "list who offers GPUs, how many and from what price", run=list_providers,
        examples="  manage.py gpu providers\n",
    )  # fmt: skip


def add_matching(command: VerbCommand, verbs: Any) -> None:
    accept = command.verb(
        verbs, "accept", "take a bid at its price, with your cheapest offer that fits", run=accept_bid, scope="miner",
        examples="  manage.py gpu accept gpu_bid_1f0c…\n",
    )  # fmt: skip
    add_id(accept, "bid", of=ORDERS, help="the bid's id")
    add_id(accept, "--offer", of=ORDERS, help="with this offer of yours")
    match = command.verb(
        verbs, "match", "match your bids with the cheapest offers (or one bid with one offer)", run=match_orders,
        examples="  manage.py gpu match\n  manage.py gpu match --bid gpu_bid_1f0c… --offer gpu_offer_77ab…\n",
    )  # fmt: skip
    add_id(match, "--bid", of=ORDERS, help="only this bid")
    add_id(match, "--offer", of=ORDERS, help="with this offer")
    cancel = command.verb(
        verbs, "cancel", "take an offer (with --key of a miner) or a bid of yours back", run=cancel_order,
        examples="  manage.py gpu cancel gpu_bid_1f0c…\n",
    )  # fmt: skip
    add_id(cancel, "order", of=ORDERS, help="its id, yours or the exchange's")


def send(command: VerbCommand, action: str, **body: Any) -> Any:
    payload = {"type": TYPE, "action": action, **{name: value for name, value in body.items() if value is not None}}
    return command.call("POST", PATH, json=payload, headers={"Idempotency-Key": str(uuid.uuid4())})


def make_offer(command: VerbCommand, *, price: str, **options: Any) -> None:
    name = options["id"] or f"gpu_offer_{uuid.uuid4().hex[:16]}"
    shown(command, send(command, "offer", offer_id=name, price_per_gpu=price, **described(options)))


def make_bid(command: VerbCommand, *, price: str, **options: Any) -> None:
    name = options["id"] or f"gpu_bid_{uuid.uuid4().hex[:16]}"
    shown(command, send(command, "bid", bid_id=name, max_price_per_gpu=price, **described(options)))


def described(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "gpu_count": options["count"], "duration_hours": options["hours"], "specs": options["specs"],
        "description": options["description"] or None,
    }  # fmt: skip


def list_orders(command: VerbCommand, **options: Any) -> None:
    filters = {
        "action": options["type"], "status": options["status"], "provider_node_id": options["provider"],
        "model": options["model"], "price_max": options["max_price"], "limit": options["limit"],
    }  # fmt: skip
    rows = found(command, **filters)
    command.show(rows, table_of(rows))


def found(command: VerbCommand, **filters: Any) -> list[dict[str, Any]]:
    params = {"transaction_type": TYPE, **{name: value for name, value in filters.items() if value is not None}}
    rows: list[dict[str, Any]] = command.call("GET", PATH, shape=list, params=params)
    return rows


def show_order(command: VerbCommand, *, order: str, **options: Any) -> None:
    rows = found(command, order_id=order)
    if not rows:
        raise CommandError(f"There is no order {order} that you may see.")
    command.show(rows[0], table_of(rows[:1]))


def list_providers(command: VerbCommand, **options: Any) -> None:
    """Offers, added up by who makes them."""
    sums: dict[str, dict[str, Any]] = {}
    for row in found(command, action="offer", status="active", limit=500):
        one = sums.setdefault(row["provider_node_id"] or row["miner_id"] or "unnamed", {"gpus": 0, "prices": []})
        one["gpus"] += row["gpu_count"]
        one["prices"].append(row["price_per_gpu"])
    rows = [{"provider": name, "gpus": one["gpus"], "from": min(one["prices"])} for name, one in sorted(sums.items())]
    lines = [(row["provider"], str(row["gpus"]), row["from"]) for row in rows]
    heads = ("provider", "GPUs", "from AIT per GPU and hour")
    command.show(rows, Grid("Providers", heads, lines, none="nobody offers GPUs now"))


def accept_bid(command: VerbCommand, *, bid: str, offer: str | None, **options: Any) -> None:
    shown(command, send(command, "accept", bid_id=bid, offer_id=offer))


def cancel_order(command: VerbCommand, *, order: str, **options: Any) -> None:
    shown(command, send(command, "cancel", order_id=order))


def match_orders(command: VerbCommand, *, bid: str | None, offer: str | None, **options: Any) -> None:
    """One pair, or every bid with the cheapest offer of the same size and length; refusals are listed and skipped."""
    if bid and offer:
        return shown(command, send(command, "match", bid_id=bid, offer_id=offer))
    made: list[dict[str, Any]] = []
    refused: list[str] = []
    for bid_row, one in pairs(found(command, status="active", limit=500)):
        if any(bid_row["id"] == done["bid"] for done in made) or (
            bid and bid not in (bid_row["bid_id"], bid_row["id"])
        ):
            continue
        try:
            answer = send(command, "match", bid_id=bid_row["id"], offer_id=one["id"])
            made.append({"bid": bid_row["id"], **answer["transaction"]})
        except ApiProblem as problem:
            refused.append(f"{bid_row['bid_id']} × {one['offer_id']}: {problem.body.get('detail')}")
    command.show({"matched": made, "refused": refused}, table_of(made, note="\n".join(refused)))


def pairs(rows: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Bids, the most generous first, each with the offers that could serve it, the cheapest first."""
    offers = sorted((row for row in rows if row["action"] == "offer"), key=lambda row: money(row["price_per_gpu"]))
    bids = sorted((row for row in rows if row["action"] == "bid"), key=lambda row: -money(row["max_price_per_gpu"]))
    return [
        (bid, offer) for bid in bids for offer in offers
        if money(bid["max_price_per_gpu"]) >= money(offer["price_per_gpu"])
        and (bid["gpu_count"], bid["duration_hours"]) == (offer["gpu_count"], offer["duration_hours"])
    ]  # fmt: skip


def money(text: str) -> int:
    return int(text.replace(".", ""))


def shown(command: VerbCommand, answer: dict[str, Any]) -> None:
    command.show(answer, table_of([answer["transaction"]]))


def table_of(rows: list[dict[str, Any]], note: str = "") -> Grid:
    heads = ("id", "what", "status", "AIT per GPU and h", "GPUs", "hours", "total AIT", "model", "made (UTC)")
    lines = [
        (
            row["transaction_id"], row["action"], coloured(row["status"]), row["price_per_gpu"],
            str(row["gpu_count"]), f"{row['duration_hours']:g}", row["total_price"], row.get("model", ""),
            row["created_at"][:19],
        )
        for row in rows
    ]  # fmt: skip
    return Grid("Orders", heads, lines, note=note)
