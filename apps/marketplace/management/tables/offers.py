"""How the `market` command shows offers on a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aitbc.core.cli import program
from aitbc.core.cli.tables import Grid, more

COLOURS = {
    "open": "green", "booked_out": "yellow", "paused": "cyan", "draft": "dim", "expired": "magenta", "withdrawn": "red",
}  # fmt: skip
SHOWN = (
    "id", "external_id", "state", "revision", "title", "gpu_count", "gpu_model", "device", "memory_mb",
    "price_gpu_hour", "price_storage_gb_month", "pricing", "floor", "ceiling", "bonded", "min_duration_s",
    "max_duration_s", "available_from", "available_until", "reclaim_notice_s", "constraints", "attributes", "region",
    "backed", "verified", "rentable", "benchmark", "reliability", "rating", "score",
)  # fmt: skip
UNITS = {
    "memory_mb": "MB", "price_gpu_hour": "AIT per GPU and hour", "price_storage_gb_month": "AIT per GB and month",
    "floor": "AIT", "ceiling": "AIT", "min_duration_s": "s", "max_duration_s": "s", "reclaim_notice_s": "s",
}  # fmt: skip


def found(page: dict[str, Any], *, model: str | None) -> RenderableType:
    """A page of a search, and its explanation when there is one."""
    parts: list[RenderableType] = []
    if page["items"]:
        parts.append(_offers(page["items"], model))
    else:
        hint = "" if page.get("explain") else " Add --explain to see which one is in the way."
        parts.append(Text(f"Nothing is offered that satisfies every term.{hint}"))
    if page.get("explain"):
        parts.append(explanation(page["explain"]))
    return Group(*parts, *([Text(following, overflow="fold")] if (following := more(page)) else []))


def _offers(items: list[dict[str, Any]], model: str | None) -> Grid:
    heads = ["offer", "AIT/h each", "GPUs", "model", "GB each", *(["tokens/s", "tokens/AIT"] if model else [])]
    lines = []
    for one in items:
        what = f"{one['gpu_model'] or 'GPU'}{' (cpu)' if one['device'] == 'cpu' else ''}"
        line = [one["id"], _price(one["price_gpu_hour"]), str(one["gpu_count"]), what, str(one["gpu_memory_gb"])]
        if model:
            line += [_number(one["tokens_s"], 1), _number(one["tokens_per_credit"], 0)]
        line += [
            f"{one['score']:,.1f}", _price(one["total_hour"]), one["region"], "yes" if one["verified"] else "no",
            f"{one['reliability']:.3f}",
        ]  # fmt: skip
        lines.append(line)
    return Grid("Offers", [*heads, "score", "AIT/h all", "region", "verified", "reliability"], lines)


def explanation(result: dict[str, Any]) -> RenderableType:
    lines = [
        (one["term"], str(one["removes"]), str(one["removes_alone"]), one["relaxed"] or "") for one in result["terms"]
    ]
    heads = ("term", "removes", "removes alone", "least change that finds one more")
    title = f"{result['matches']} of {result['offers']} listed offers match"
    return Group(Grid(title, heads, lines), _advice(result))


def _advice(result: dict[str, Any]) -> Text:
    if result["matches"] or not result["offers"]:
        return Text("" if result["matches"] else "Nothing is listed at all.")
    if result["cheapest"]:
        one = result["cheapest"]
        return Text(f"Cheapest way to a result: {one['relaxed']}  instead of  {one['term']}", style="bold")
    return Text(f"No single change helps: the nearest offer fails {result['fewest_in_the_way']} terms.", style="bold")


def fields(known: list[dict[str, Any]]) -> Grid:
    lines = [(one["name"], one["unit"], one["about"], one["kind"], ", ".join(one["aliases"])) for one in known]
    return Grid("Fields of the search", ("field", "unit", "what it is", "kind", "other names"), lines)


def mine(page: dict[str, Any]) -> Grid:
    lines = [
        (
            one["id"], _state(one["state"]), _price(one["price_gpu_hour"]), str(one["gpu_count"]),
            one["gpu_model"] or "GPU", "yes" if one["verified"] else "no", "yes" if one["rentable"] else "no",
            _time(one["available_until"]), _time(one["created_at"]),
        )
        for one in page["items"]
    ]  # fmt: skip
    heads = ("offer", "state", "AIT/h each", "GPUs", "model", "verified", "rentable", "until", "made")
    none = f"You have no offers here yet: {program.line('market offers create')} --gpu … --price …"
    return Grid("Your offers", heads, lines, note=more(page), none=none)


def offer(one: dict[str, Any]) -> RenderableType:
    table = Table(title=f"Offer {one['id']}", title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name in SHOWN:
        value = one.get(name)
        if value in (None, "", {}, []):
            continue
        shown = f"{_plain(name, value)} {UNITS.get(name, '')}".strip()
        table.add_row(name, _state(value) if name == "state" else shown)
    return Group(table, *(Text(warning, style="yellow") for warning in one.get("warnings") or ()))


def history(result: dict[str, Any]) -> RenderableType:
    lines = []
    for one in result["revisions"]:
        changed = "; ".join(f"{name}: {previous} → {new}" for name, (previous, new) in one["changes"].items())
        lines.append((str(one["revision"]), _price(one["price_gpu_hour"]), _time(one["at"]), changed, one["reason"]))
    table = Grid(f"Offer {result['offer_id']}", ("revision", "AIT/h each", "when", "changed", "why"), lines)
    booked = f"{result['booking_count']} bookings, last {_time(result['last_booked']) or 'never'}"
    earned = result["total_revenue"]
    return Group(table, Text(f"{booked}." if earned is None else f"{booked}; earned {earned} AIT after fees."))


def _state(word: str) -> Text:
    return Text(word, style=COLOURS.get(word, ""))


def _plain(name: str, value: Any) -> str:
    if name.startswith("available_"):
        return _time(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _price(text: str) -> str:
    whole, _, part = text.partition(".")
    return f"{int(whole):,}.{part.rstrip('0').ljust(2, '0')}"


def _number(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:,.{places}f}"


def _time(text: str | None) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M %Z") if text else ""
