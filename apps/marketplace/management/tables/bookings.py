"""Quotes, bookings and reviews as tables for people: amounts with their unit, times with their zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table

UNIT = "AIT"
COLOURS = {
    "active": "green", "settled": "green", "reclaiming": "yellow", "provisioning": "yellow", "requested": "yellow",
    "reserved": "cyan", "ended": "cyan",
}  # fmt: skip


def quote(row: dict[str, Any]) -> RenderableType:
    body = row["body"]
    table = Table(title=f"Quote {row['id']}, open until {moment(row['expires_at'])}", title_justify="left")
    for name, justify in (("item", "left"), ("quantity", "right"), (f"price, {UNIT}", "left"), (UNIT, "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for line in body["items"]:
        price = f"{line['price']} per {line['unit']} and {line['per']}"
        table.add_row(line["item"], f"{line['quantity']} {line['unit']}", price, line["amount"])
    table.add_section()
    table.add_row("at most in all, for", span(body["duration_s"]), f"{body['rate_per_hour']} per hour", body["total"])
    fee_note = f"The provider pays the fee of {body['fee']} {UNIT} out of it and pledges {body['bond']} {UNIT}."
    how = f"Book it: manage.py market book --quote {row['id']}"
    return Group(table, fee_note, how)


def booking(row: dict[str, Any], events: Iterable[dict[str, Any]] = ()) -> RenderableType:
    table = Table(title=f"Booking {row['id']}", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in lines_of(row):
        if value:
            table.add_row(name, value)
    transitions = list(events)
    return Group(table, timeline(transitions)) if transitions else table


def lines_of(row: dict[str, Any]) -> Iterable[tuple[str, str]]:
    state = coloured(row["state"]) + (f" ({row['outcome']})" if row["outcome"] else "")
    yield "state", state
    yield "you are its", row["role"]
    yield "GPUs", f"{row['gpu_count']} × {row['gpu_model'] or 'GPU'} {row['region']}".strip()
    yield "from", moment(row["starts_at"])
    yield "until", f"{moment(row['ends_at'])}{left(row)}"
    yield "active since", moment(row["activated_at"])
    yield "make ready by", moment(row["provision_by"]) if row["state"] == "provisioning" else ""
    yield "reclaimed for", moment(row["reclaim_at"])
    yield "rate", f"{row['rate']} {UNIT} per hour"
    yield "set aside", f"{row['escrow']} {UNIT}, {row['left_of_escrow']} of it not used"
    yield "used", f"{span(row['metered_ms'] / 1000)}, {row['owed']} {UNIT}" if row["metered_ms"] else ""
    yield "bond", f"{row['bond']} {UNIT}" if float(row["bond"]) else ""
    if row["state"] == "settled":
        yield "paid", f"{row['paid']} {UNIT} to the provider, {row['fee']} {UNIT} fee"
        yield "given back", f"{row['refunded']} {UNIT}"
        yield "from the bond", f"{row['compensation']} {UNIT}" if float(row["compensation"]) else ""


def left(row: dict[str, Any]) -> str:
    if row["state"] not in ("active", "reclaiming"):
        return ""
    remaining = (datetime.fromisoformat(row["ends_at"]) - datetime.now(UTC)).total_seconds()
    return f" ({span(remaining)} left)" if remaining > 0 else ""


def timeline(transitions: Iterable[dict[str, Any]]) -> Table:
    table = Table(title="What happened", title_justify="left")
    for name in ("when", "became", "by", "because"):
        table.add_column(name, overflow="fold")
    for one in transitions:
        table.add_row(moment(one["at"]), coloured(one["to_state"]), one["actor"], one["reason"])
    return table


def bookings(page: dict[str, Any]) -> Table:
    table = Table(title="Bookings", title_justify="left")
    table.add_column("booking", overflow="fold")
    table.add_column("state, you are", no_wrap=True)
    table.add_column("GPUs, from, until", overflow="fold")
    table.add_column(f"{UNIT}: used of set aside", justify="right", overflow="fold")
    for one in page["items"]:
        gpus = f"{one['gpu_count']} × {one['gpu_model'] or 'GPU'} at {one['rate']} {UNIT}/h"
        when = f"{moment(one['starts_at'])}\n{moment(one['ends_at'])}"
        state = f"{coloured(one['outcome'] or one['state'])}\n{one['role']}"
        table.add_row(one["id"], state, f"{gpus}\n{when}", f"{one['owed']}\n{one['escrow']}")
    if page.get("next"):
        table.caption = f"more: --cursor {page['next']}"
    return table


def reviews(page: dict[str, Any]) -> Table:
    table = Table(title="Reviews", title_justify="left")
    for name in ("when", "of the", "stars", "text", "answer", ""):
        table.add_column(name, overflow="fold")
    for one in page["items"]:
        note = "not counted: they rent from each other" if one["reciprocal"] else "hidden" if one["hidden"] else ""
        stars = "★" * one["rating"] + "☆" * (5 - one["rating"])
        table.add_row(moment(one["created_at"]), one["subject"], stars, one["text"], one["reply"], note)
    return table


def fields(title: str, row: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in row.items():
        table.add_row(name.replace("_", " "), str(value))
    return table


def coloured(state: str) -> str:
    return f"[{COLOURS.get(state, 'red')}]{state.replace('_', ' ')}[/]"


def moment(text: str | None) -> str:
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S %Z") if text else ""


def span(seconds: float) -> str:
    """Seconds in words: 1 d 2 h 3 min 4 s."""
    rest, words = round(seconds), []
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        number, rest = divmod(rest, size)
        if number:
            words.append(f"{number} {unit}")
    return " ".join(words) or "0 s"
