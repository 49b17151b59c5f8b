"""`market demand|demands|bid|bids|award|verify-award`: ask for GPUs, bid for demands, see who won and check it."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import Any

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import HOURS, LIMIT, number, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.errors import UsageError
from aitbc.core.cli.short_ids import add_id
from aitbc.core.cli.tables import Grid, coloured, more
from apps.marketplace.logic import award_proof
from apps.marketplace.management.listed import BID_OF_DEMAND, DEMAND, DEMANDS, MARKET, OWN_BID, OWN_DEMAND, OWN_OFFER

BIDS = f"{MARKET}/bids"


def add(command: VerbCommand, verbs: Any) -> None:
    add_demand(command, verbs)
    demands = command.verb(
        verbs, "demands", "list demands that take bids, or your own", run=list_demands,
        examples="  manage.py market demands --region eu\n  manage.py market demands --mine --json\n",
    )  # fmt: skip
    demands.add_argument("--mine", action="store_true", help="your own, in any state")
    demands.add_argument("--state", help="open, closing, awarded …")
    demands.add_argument("--region", help="e.g. eu-de")
    demands.add_argument("--limit", type=LIMIT, default=50, help="demands of a page (50)")
    demands.add_argument("--cursor", help="of the page before")
    bid = command.verb(
        verbs, "bid", "bid for a demand with one of your offers", run=make_bid, scope="miner",
        examples="  manage.py market bid 0190f3c2 --offer 0190f3aa --price 1.25\n"
        "  manage.py market bid --withdraw 0190f3d0\n",
    )  # fmt: skip
    add_id(bid, "demand", of=DEMAND, nargs="?", help="the demand's id")
    add_id(bid, "--offer", of=OWN_OFFER, help="the id of your offer")
    bid.add_argument("--price", type=AIT, help="AIT per hour for all its GPUs together")
    bid.add_argument("--note", default="", help="a line to the renter")
    add_id(bid, "--withdraw", of=OWN_BID, metavar="BID", help="take this bid back")
    bids = command.verb(
        verbs, "bids", "list the bids on a demand, or your own", run=list_bids, scope="miner",
        examples="  manage.py market bids 0190f3c2\n  manage.py market bids\n",
    )  # fmt: skip
    add_id(bids, "demand", of=DEMAND, nargs="?", help="the demand's id; without it, your own bids")
    award = command.verb(
        verbs, "award", "show who won, or take a bid by hand", run=show_award,
        examples="  manage.py market award 0190f3c2 --json > award.json\n"
        "  manage.py market award 0190f3c2 --bid 0190f3d0\n",
    )  # fmt: skip
    add_id(award, "demand", of=DEMAND, help="the demand's id")
    add_id(award, "--bid", of=BID_OF_DEMAND, help="take this bid now, at its own price")
    verify = command.verb(
        verbs, "verify-award", "compute an award again, offline", run=verify_award, scope="",
        examples="  manage.py market award 0190f3c2 --json > award.json\n"
        "  curl -s $AITBC_URL/.well-known/aitbc-keys.json > keys.json\n"
        "  manage.py market verify-award award.json --keys keys.json\n",
    )  # fmt: skip
    verify.add_argument("proof", type=Path, help="what `market award … --json` printed, as a file")
    verify.add_argument(
        "--keys", type=Path, help="the exchange's published keys, as a file; without it no signature is checked"
    )


def add_demand(command: VerbCommand, verbs: Any) -> None:
    demand = command.verb(
        verbs, "demand", "ask for GPUs: providers bid", run=make_demand,
        examples='  manage.py market demand --budget 2 --hours 4 --gpu "RTX 4090" --closes 2026-12-01T12:00:00Z\n'
        '  manage.py market demand --budget 8 --hours 24 --count 4 --filter "gpu_ram>=24" --second-score\n'
        "  manage.py market demand --publish 0190f3c2   a draft\n"
        "  manage.py market demand --cancel 0190f3c2\n",
    )  # fmt: skip
    demand.add_argument("--budget", type=AIT, help="AIT per hour for all GPUs together, at most")
    demand.add_argument("--hours", type=HOURS, help="for how long")
    demand.add_argument("--count", type=whole(1, 1000), default=1, help="how many GPUs (1)")
    demand.add_argument("--gpu", action="append", help="a GPU model that will do (may repeat)")
    demand.add_argument("--min-vram", type=number(0, 97_656), default=0, help="GiB of memory of each GPU")
    for flag, about in (
        ("--region", "e.g. eu or eu-de"), ("--filter", "search grammar"), ("--constraints", "CEL over offer, provider"),
        ("--title", "a line of text"),
        ("--closes", "when the auction ends, RFC 3339; without it, it stands"), ("--start-by", "RFC 3339"),
        ("--weights", "price,quality,reliability in basis points, e.g. 7000,1500,1500"),
    ):  # fmt: skip
        demand.add_argument(flag, help=about)
    demand.add_argument("--reserve", type=AIT, help="AIT per hour for a lone bidder (second score)")
    add_id(demand, "--publish", of=OWN_DEMAND, metavar="DEMAND", help="open this draft to bids")
    add_id(demand, "--cancel", of=OWN_DEMAND, metavar="DEMAND", help="take this demand back")
    demand.add_argument("--second-score", action="store_true", help="pay the winner the highest price that still wins")
    demand.add_argument("--draft", action="store_true", help="do not open it to bids yet")


def make_demand(command: VerbCommand, **options: Any) -> None:
    for verb in ("publish", "cancel"):
        if options[verb]:
            done = command.call("POST", f"{DEMANDS}/{options[verb]}/{verb}", json={} if verb == "cancel" else None)
            return command.show(done, demand_table([done]))
    if not options["budget"] or not options["hours"]:
        raise UsageError("Say --budget and --hours.")
    made = command.call("POST", DEMANDS, json=body_of(options), headers={"Idempotency-Key": str(uuid.uuid4())})
    return command.show(made, demand_table([made]))


def body_of(options: dict[str, Any]) -> dict[str, Any]:
    body = {
        "budget_hour": options["budget"], "duration_s": round(options["hours"] * 3600), "gpu_count": options["count"],
        "gpu_models": options["gpu"], "min_memory_mb": round(options["min_vram"] * 1024), "region": options["region"],
        "filter": options["filter"], "constraints": options["constraints"], "title": options["title"],
        "reserve_hour": options["reserve"], "closes_at": options["closes"], "start_by": options["start_by"],
        "weights": weights_of(options["weights"]), "draft": options["draft"],
        "auction": "second_score" if options["second_score"] else "pay_as_bid",
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def weights_of(text: str | None) -> dict[str, int] | None:
    if not text:
        return None
    try:
        price, quality, reliability = (int(part) for part in text.split(","))
    except ValueError:
        raise UsageError("--weights is three whole numbers: price,quality,reliability.") from None
    return {"price": price, "quality": quality, "reliability": reliability}


def list_demands(command: VerbCommand, **options: Any) -> None:
    query = {name: options[name] for name in ("state", "region", "limit", "cursor") if options[name]}
    answer = command.call("GET", DEMANDS, params={**query, **({"mine": "true"} if options["mine"] else {})})
    command.show(answer, demand_table(answer["items"], note=more(answer)))


def demand_table(rows: list[dict[str, Any]], note: str = "") -> Grid:
    lines = [
        (
            row["id"], coloured(row["state"]), row["budget_hour"], str(row["gpu_count"]),
            f"{row['duration_s'] / 3600:g}", " or ".join(row["gpu_models"]) or "any",
            (row["closes_at"] or "stands")[:19], row["auction"],
        )
        for row in rows
    ]  # fmt: skip
    heads = ("id", "state", "budget AIT/h", "GPUs", "hours", "of model", "closes (UTC)", "auction")
    return Grid("Demands", heads, lines, note=note, none="Demands: none; `market demand` makes one")


def make_bid(command: VerbCommand, **options: Any) -> None:
    if options["withdraw"]:
        done = command.call("POST", f"{BIDS}/{options['withdraw']}/withdraw")
        return command.show(done, bid_table([done]))
    if not (options["demand"] and options["offer"] and options["price"]):
        raise UsageError("Say which demand, --offer and --price.")
    body = {"offer_id": options["offer"], "price_hour": options["price"], "note": options["note"]}
    path, key = f"{DEMANDS}/{options['demand']}/bids", {"Idempotency-Key": str(uuid.uuid4())}
    made = command.call("POST", path, json=body, headers=key)
    return command.show(made, bid_table([made]))


def list_bids(command: VerbCommand, **options: Any) -> None:
    path = f"{DEMANDS}/{options['demand']}/bids" if options["demand"] else f"{BIDS}/mine"
    answer = command.call("GET", path)
    command.show(answer, bid_table(answer["items"], note=more(answer)))


def bid_table(rows: list[dict[str, Any]], note: str = "") -> Grid:
    lines = [
        (
            row["id"], coloured(row["state"]), row["price_hour"],
            "you" if row["mine"] else row["bidder"], row["bond"] or "–", model_of(row["gpu_snapshot"]),
            row["created_at"][:19],
        )
        for row in rows
    ]  # fmt: skip
    heads = ("id", "state", "price AIT/h", "bidder", "bond AIT", "GPU", "made (UTC)")
    return Grid("Bids", heads, lines, note=note, none="Bids: none yet")


def model_of(snapshot: dict[str, Any]) -> str:
    return f"{snapshot['model']} {snapshot['memory_mb'] // 1024} GB"


def show_award(command: VerbCommand, **options: Any) -> None:
    path = f"{DEMANDS}/{options['demand']}/award"
    if options["bid"]:
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answer = command.call("POST", path, json={"bid_id": options["bid"]}, headers=headers)
    else:
        answer = command.call("GET", path)
    command.show(answer, award_table(answer))


def award_table(answer: dict[str, Any]) -> Grid:
    inputs = answer["proof"]["inputs"]
    ranks = {one["bid"]: place for place, one in enumerate(answer["proof"]["outcome"]["ranking"], 1)}
    title = f"Award of {answer['demand_id']}: {answer['price_hour']} AIT/h ({inputs['mode']}, {inputs['format']})"
    lines = [
        (
            str(ranks.get(one["id"], "–")), one["id"], one["price"], one["refused"], one["bidder"],
            f"{one['quality'] / 1e6:.3f}", f"{one['reliability'] / 1e6:.3f}",
        )
        for one in sorted(inputs["bids"], key=lambda bid: ranks.get(bid["id"], len(ranks) + 1))
    ]  # fmt: skip
    heads = ("place", "bid", "price AIT/h", "does not count because", "bidder", "quality", "reliability")
    return Grid(title, heads, lines, note=f"leaf {answer['leaf']}")


def verify_award(command: VerbCommand, *, proof: Path, keys: Path | None, **options: Any) -> None:
    """Read two files and compute, without a request to the exchange."""
    try:
        document, ring = read(proof), read(keys) if keys else None
        for line in award_proof.verify(document, ring):
            command.stdout.write(f"ok  {line}")
    except award_proof.Rejected as error:
        command.stdout.write(f"REJECTED  {error}")
        sys.exit(1)
    if ring is None:
        command.stdout.write("--  no --keys: the signature was not checked")


def read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is not a JSON object.")
    return found
