"""`gpu list`, `gpu show`, `gpu scan`, `gpu models`, `gpu price`, `gpu switch`, `gpu retire`."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Group, RenderableType

from aitbc.core.cli.amounts import AIT
from aitbc.core.cli.arguments import LIMIT, number, whole
from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.short_ids import Listed, add_id
from aitbc.core.cli.tables import fields, more, rows

GPUS, EDGE = "/gpu/v1/gpu", "/gpu/v1/marketplace/edge-gpu"
OWN_GPUS, OWN_MINERS = Listed("card", (GPUS,)), Listed("miner", ("/gpu/v1/miners",))
MEMORY = number(0, 100_000)
LISTED = ("gpu_id", "model", "state", "price_per_hour", "memory_gb", "miner_id", "verified", "score", "reason")
METRICS = ("timestamp", "gpu_utilization_percent", "memory_used_mb", "power_draw_w", "temperature_celsius")
MODELS = (
    "model", "vendor", "architecture", "year", "memory_gb", "bandwidth_gbps", "fp32_tflops", "fp16_tflops", "tdp_w",
    "edge_optimized",
)  # fmt: skip
FILTERS = ("state", "model", "miner_id", "device", "min_memory_gb", "limit", "cursor")
MODEL_FILTERS = ("architecture", "vendor", "min_memory_gb", "q")


def add(command: VerbCommand, verbs: Any) -> None:
    """The verbs of this module."""
    _list_arguments(command.verb(verbs, "list", "your cards, and those you rent", run=list_gpus, scope="miner",
        examples="  manage.py gpu list --model 4090\n  manage.py gpu list --device cpu --json"))  # fmt: skip
    shown = command.verb(verbs, "show", "one card: facts, state, latest metrics", run=show, scope="miner",
        examples="  manage.py gpu show 0190f3c2\n  manage.py gpu show 0190f3c2 --figures 60")  # fmt: skip
    add_id(shown, "gpu", of=OWN_GPUS, help="its id")
    shown.add_argument("--figures", type=whole(0, 1000), default=10, metavar="N", help="the last N minutes heard (10)")
    scanned = command.verb(verbs, "scan", "have a miner look at its cards again", run=scan, scope="miner",
        examples="  manage.py gpu scan rig-1\n  manage.py gpu scan rig-1 --wait 0")  # fmt: skip
    add_id(scanned, "miner", of=OWN_MINERS, help="its name or id")
    scanned.add_argument("--wait", type=number(0, 60), default=25, help="seconds to wait for what it reports (25)")
    _model_arguments(command.verb(verbs, "models", "the models of card the exchange knows", run=models,
        examples="  manage.py gpu models --architecture hopper\n  manage.py gpu models --q 'rtx 40'"))  # fmt: skip
    priced = command.verb(verbs, "price", "what a card asks by itself", run=price, scope="miner",
        examples="  manage.py gpu price 0190f3c2 0.45")  # fmt: skip
    add_id(priced, "gpu", of=OWN_GPUS, help="its id")
    priced.add_argument("amount", type=AIT, help="AIT per hour")
    switched = command.verb(verbs, "switch", "take a card off the market, or put it back", run=switch, scope="miner",
        examples="  manage.py gpu switch 0190f3c2 off")  # fmt: skip
    add_id(switched, "gpu", of=OWN_GPUS, help="its id")
    switched.add_argument("to", choices=("on", "off"), help="on or off the market")
    retired = command.verb(verbs, "retire", "take a card out of the registry", run=retire, scope="miner",
        examples="  manage.py gpu retire 0190f3c2")  # fmt: skip
    add_id(retired, "gpu", of=OWN_GPUS, help="its id")


def list_gpus(command: VerbCommand, **options: Any) -> None:
    filters = {name: options[name] for name in FILTERS if options.get(name) is not None}
    if options.get("verified"):
        filters["verified"] = "true"
    page = command.call("GET", GPUS, params=filters)
    gpus = page["items"]
    command.show(
        page, rows("Cards", gpus, LISTED, note=more(page)) if gpus else "no cards; a miner reports its own: miner run"
    )


def show(command: VerbCommand, *, gpu: str, figures: int, **options: Any) -> None:
    gpu_record = command.call("GET", f"{GPUS}/{gpu}")
    path, page = f"{EDGE}/metrics/{gpu}", {"limit": figures}
    metrics = command.call("GET", path, shape=list, params=page) if figures else []
    facts = {name: value for name, value in gpu_record.items() if name not in ("latest", "capabilities", "details")}
    details = {f"details.{name}": value for name, value in gpu_record["details"].items()}
    parts: list[RenderableType] = [fields(f"{gpu_record['model']} of {gpu_record['miner_id']}", facts | details)]
    parts.append(rows("Latest, newest first", metrics, METRICS) if metrics else "no figures yet")
    command.show({**gpu_record, "figures": metrics}, Group(*parts))


def scan(command: VerbCommand, *, miner: str, wait: float, **options: Any) -> None:
    found = command.call("POST", f"{EDGE}/scan/{miner}", params={"wait": wait}, timeout=wait + 15)
    if found["state"] == "open":
        command.show(found, f"not answered yet; the answer will be at {found['ask_again']}")
        return
    title = f"{found['miner_id']} found by {found['discovery_method']}"
    command.show(found, rows(title, found["gpus"], LISTED) if found["gpus"] else f"{title}: no device")


def models(command: VerbCommand, **options: Any) -> None:
    filters = {name: options[name] for name in MODEL_FILTERS if options.get(name) is not None}
    filters |= {name: "true" for name in ("edge_optimized", "consumer_grade") if options.get(name)}
    found = command.call("GET", f"{EDGE}/profiles", shape=list, params=filters)
    title = "Models: GB, GB/s, TFLOPS (dense), W"
    command.show(found, rows(title, found, MODELS) if found else "no such model")


def price(command: VerbCommand, *, gpu: str, amount: str, **options: Any) -> None:
    _tell(command, command.call("PUT", f"{GPUS}/{gpu}", json={"price_per_hour": amount}))


def switch(command: VerbCommand, *, gpu: str, to: str, **options: Any) -> None:
    _tell(command, command.call("PUT", f"{GPUS}/{gpu}", json={"status": "available" if to == "on" else "offline"}))


def retire(command: VerbCommand, *, gpu: str, **options: Any) -> None:
    _tell(command, command.call("DELETE", f"{GPUS}/{gpu}"))


def _tell(command: VerbCommand, gpu_record: dict[str, Any]) -> None:
    shown = {name: gpu_record[name] for name in ("id", "model", "state", "price_per_hour", "message")}
    command.show(gpu_record, fields(gpu_record["model"], shown))


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", help="registered, available, busy, offline, quarantined …")
    parser.add_argument("--model", help="part of the name")
    add_id(parser, "--miner-id", of=OWN_MINERS, help="a miner's name or id")
    parser.add_argument("--device", choices=("gpu", "cpu"), help="gpu, or cpu where there is none")
    parser.add_argument("--min-memory-gb", type=MEMORY, help="GB of memory, at least")
    parser.add_argument("--verified", action="store_true", help="only cards that passed a benchmark")
    parser.add_argument("--limit", type=LIMIT, default=50, help="cards of a page (50)")
    parser.add_argument("--cursor", help="of the page before")


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--architecture", help="turing, ampere, ada_lovelace …")
    parser.add_argument("--vendor", help="nvidia, amd …")
    parser.add_argument("--min-memory-gb", type=MEMORY, help="GB of memory, at least")
    parser.add_argument("--q", help="words of the name")
    parser.add_argument("--edge-optimized", action="store_true", help="draws 170 W at most")
    parser.add_argument("--consumer-grade", action="store_true", help="not made for data centres")
