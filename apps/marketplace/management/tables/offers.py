"""How the `market` command shows offers on a terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

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
    return _paged(parts, page)


def _offers(items: list[dict[str, Any]], model: str | None) -> Table:
    table = Table(title="Offers", title_justify="left")
    heads = ["offer", "GPUs", "GB each", "AIT/h each", "AIT/h all", "region", "reliability", "verified", "score"]
    for name in [*heads, *(["tokens/s", "tokens/AIT"] if model else [])]:
        left = name in ("offer", "GPUs", "region", "verified")
        table.add_column(name, justify="left" if left else "right", no_wrap=name == "offer")
    for one in items:
        what = f"{one['gpu_count']} × {escape(one['gpu_model'] or 'GPU')}{' (cpu)' if one['device'] == 'cpu' else ''}"
        row = [
            one["id"], what, str(one["gpu_memory_gb"]), _price(one["price_gpu_hour"]), _price(one["total_hour"]),
            escape(one["region"]), f"{one['reliability']:.3f}", "yes" if one["verified"] else "no",
            f"{one['score']:,.1f}",
        ]  # fmt: skip
        if model:
            row += [_number(one["tokens_s"], 1), _number(one["tokens_per_credit"], 0)]
        table.add_row(*row)
    return table


def explanation(result: dict[str, Any]) -> RenderableType:
    table = Table(title=f"{result['matches']} of {result['offers']} listed offers match", title_justify="left")
    for name in ("term", "removes", "removes alone", "least change that finds one more"):
        table.add_column(name, justify="right" if name.startswith("removes") else "left")
    for one in result["terms"]:
        table.add_row(escape(one["term"]), str(one["removes"]), str(one["removes_alone"]), escape(one["relaxed"] or ""))
    return Group(table, _advice(result))


def _advice(result: dict[str, Any]) -> Text:
    if result["matches"] or not result["offers"]:
        return Text("" if result["matches"] else "Nothing is listed at all.")
    if result["cheapest"]:
        one = result["cheapest"]
        return Text(f"Cheapest way to a result: {one['relaxed']}  instead of  {one['term']}", style="bold")
    return Text(f"No single change helps: the nearest offer fails {result['fewest_in_the_way']} terms.", style="bold")


def fields(known: list[dict[str, Any]]) -> Table:
    table = Table(title="Fields of the search", title_justify="left")
    for name in ("field", "kind", "unit", "what it is", "other names"):
        table.add_column(name)
    for one in known:
        table.add_row(one["name"], one["kind"], one["unit"], escape(one["about"]), ", ".join(one["aliases"]))
    return table


def mine(page: dict[str, Any]) -> RenderableType:
    if not page["items"]:
        return Text("You have no offers here yet: manage.py market offers create --gpu … --price …")
    table = Table(title="Your offers", title_justify="left")
    for name in ("offer", "state", "GPUs", "AIT/h each", "verified", "rentable", "until", "made"):
        table.add_column(name, justify="right" if name.startswith("AIT") else "left", no_wrap=name == "offer")
    for one in page["items"]:
        table.add_row(
            one["id"], _state(one["state"]), f"{one['gpu_count']} × {escape(one['gpu_model'] or 'GPU')}",
            _price(one["price_gpu_hour"]), "yes" if one["verified"] else "no", "yes" if one["rentable"] else "no",
            _time(one["available_until"]), _time(one["created_at"]),
        )  # fmt: skip
    return _paged([table], page)


def offer(one: dict[str, Any]) -> RenderableType:
    table = Table(title=f"Offer {one['id']}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name in SHOWN:
        value = one.get(name)
        if value in (None, "", {}, []):
            continue
        shown = f"{_plain(name, value)} {UNITS.get(name, '')}".strip()
        table.add_row(name, _state(value) if name == "state" else escape(shown))
    return Group(table, *(Text(warning, style="yellow") for warning in one.get("warnings") or ()))


def history(result: dict[str, Any]) -> RenderableType:
    table = Table(title=f"Offer {result['offer_id']}", title_justify="left")
    for name in ("revision", "AIT/h each", "changed", "why", "when"):
        table.add_column(name, justify="right" if name.startswith("AIT") else "left")
    for one in result["revisions"]:
        changed = "; ".join(f"{name}: {previous} → {new}" for name, (previous, new) in one["changes"].items())
        table.add_row(
            str(one["revision"]), _price(one["price_gpu_hour"]), escape(changed), escape(one["reason"]),
            _time(one["at"]),
        )  # fmt: skip
    booked = f"{result['booking_count']} bookings, last {_time(result['last_booked']) or 'never'}"
    earned = result["total_revenue"]
    return Group(table, Text(f"{booked}." if earned is None else f"{booked}; earned {earned} AIT after fees."))


def _paged(parts: list[RenderableType], page: dict[str, Any]) -> RenderableType:
    if page.get("next"):
        parts.append(Text(f"more: --cursor {page['next']}", overflow="fold"))
    return Group(*parts)


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
