"""`market prices|utilisation|liquidity|provider`: market statistics as tables and small plots."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from aitbc.core.cli.commands import VerbCommand
from aitbc.core.cli.short_ids import add_id
from aitbc.core.cli.tables import Grid
from apps.marketplace.management.listed import MARKET, PROVIDER

LEVELS = "▁▂▃▄▅▆▇█"
CELL = ("gpu_model", "region", "kind")


def add(command: VerbCommand, verbs: Any) -> None:
    prices = command.verb(
        verbs, "prices", "asks and trades of GPU time", run=show_prices, scope="client",
        examples='  manage.py market prices "RTX 4090" --interval 1d\n  manage.py market prices --region de --json',
    )  # fmt: skip
    use = command.verb(
        verbs, "utilisation", "which share of the GPU time on offer was in use", run=show_use,
        examples='  manage.py market utilisation "RTX 4090" --interval 1d',
    )  # fmt: skip
    depth = command.verb(
        verbs, "liquidity", "how deep a market is", run=show_liquidity,
        examples='  manage.py market liquidity "RTX 4090" --region eu',
    )  # fmt: skip
    for parser in (prices, use):
        parser.add_argument("--interval", choices=("1h", "1d"), default="1h", help="an hour or a day (1h)")
        parser.add_argument("--from", dest="since", help="RFC 3339; else the last day (1h) or 30 days (1d)")
        parser.add_argument("--to", help="RFC 3339; else now")
    for parser in (prices, use, depth):
        parser.add_argument("gpu_model", nargs="?", help="a GPU model; else all of them")
        parser.add_argument("--region", help="e.g. eu; else all")
        parser.add_argument("--kind", help="of offers; else all")
    provider = command.verb(
        verbs, "provider", "what is known of a provider", run=show_provider,
        examples="  manage.py market provider PROVIDER --json",
    )  # fmt: skip
    add_id(provider, "provider_id", of=PROVIDER, help="its id; the offers of `market search … --json` have it")


def show_prices(command: VerbCommand, **options: Any) -> None:
    found = command.call("GET", f"{MARKET}/analytics/prices", params=_query(options))
    heads = ("from (UTC)", "ask p50", "close", "GPU hours", "low", "high", "open", "ask p10", "ask p90")
    lines = []
    for bucket in found["items"]:
        asks, trades = bucket["asks"] or {}, bucket["trades"] or {}
        traded = [_shown(trades, name) for name in ("close", "volume_gpu_hours", "low", "high", "open")]
        lines.append([_time(bucket["at"]), _shown(asks, "p50"), *traded, _shown(asks, "p10"), _shown(asks, "p90")])
    title = f"Prices of {found['gpu_model'] or 'all models'}, AIT per GPU and hour"
    command.show(found, Grid(title, heads, lines))
    if not command.as_json:
        _print_plot(
            command, found["items"], plot([_middle(bucket) for bucket in found["items"]]), "median ask or close"
        )


def show_use(command: VerbCommand, **options: Any) -> None:
    found = command.call("GET", f"{MARKET}/analytics/utilisation", params=_query(options))
    lines = []
    for bucket in found["items"]:
        share = bucket.get("utilisation")
        used = "suppressed" if bucket["suppressed"] else "–" if share is None else f"{share:.1%}"
        hours = [f"{bucket[name]:,.2f}" if name in bucket else "" for name in ("offered_gpu_hours", "booked_gpu_hours")]
        lines.append((_time(bucket["at"]), *hours, used))
    command.show(found, Grid("GPU time in use", ("from (UTC)", "offered GPU h", "booked GPU h", "in use"), lines))
    if not command.as_json:
        _print_plot(
            command, found["items"], plot([bucket.get("utilisation") for bucket in found["items"]]), "share in use"
        )


def show_liquidity(command: VerbCommand, **options: Any) -> None:
    found = command.call("GET", f"{MARKET}/analytics/liquidity", params=_query(options))
    table = Table(title="Depth of the market", title_justify="left", show_header=False)
    for name, value in found.items():
        table.add_row(name.replace("_", " "), "–" if value is None else str(value))
    command.show(found, table)


def show_provider(command: VerbCommand, *, provider_id: str, **_: Any) -> None:
    profile = command.call("GET", f"{MARKET}/providers/{provider_id}/profile")
    standing = command.call("GET", f"{MARKET}/providers/{provider_id}/reputation")
    table = Table(title=f"Provider {provider_id}", title_justify="left", show_header=False)
    for name, value in {**profile, "reputation": f"{standing['reputation']} of 100"}.items():
        table.add_row(name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
    for name, formula in standing["formula"].items():
        table.add_row(f"{name} is", formula, style="dim")
    command.show({"profile": profile, "reputation": standing}, table)


def plot(values: list[float | None]) -> str:
    """A line of blocks, one a value; a gap where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, span = min(known), (max(known) - min(known)) or 1.0
    return "".join(" " if v is None else LEVELS[round((v - low) / span * (len(LEVELS) - 1))] for v in values)


def _print_plot(command: VerbCommand, items: list[Any], line: str, what: str) -> None:
    if not items:
        command.console.print("Nothing was offered or traded in this span; try a longer one (--from) or another model.")
    elif line.strip():
        command.console.print(f"{line}  {what}")


def _middle(bucket: dict[str, Any]) -> float | None:
    found = (bucket["asks"] or {}).get("p50") or (bucket["trades"] or {}).get("close")
    return float(found) if found is not None else None


def _query(options: dict[str, Any]) -> dict[str, Any]:
    named = {"from": options.get("since"), **{name: options.get(name) for name in (*CELL, "interval", "to")}}
    return {name: value for name, value in named.items() if value}


def _shown(bucket_prices: dict[str, Any], name: str) -> str | Text:
    if bucket_prices.get("suppressed"):
        return Text("< 3", style="dim")
    value = bucket_prices.get(name)
    return "" if value is None else f"{float(value):,.4f}"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M")
