"""Quotes, bookings and reviews as tables for people: amounts with their unit, times with their zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aitbc.core.cli import program
from aitbc.core.cli.tables import Grid, more

UNIT = "AIT"
COLOURS = {
    "active": "green", "settled": "green", "reclaiming": "yellow", "provisioning": "yellow", "requested": "yellow",
    "reserved": "cyan", "ended": "cyan",
}  # fmt: skip


def quote(row: dict[str, Any]) -> RenderableType:
    body = row["body"]
    lines = [
        (line["item"], line["amount"], f"{line['quantity']} {line['unit']}",
         f"{line['price']} per {line['unit']} and {line['per']}")
        for line in body["items"]
    ]  # fmt: skip
    lines.append(("at most in all", body["total"], span(body["duration_s"]), f"{body['rate_per_hour']} per hour"))
    title = f"Quote {row['id']}, open until {moment(row['expires_at'])}"
    table = Grid(title, ("item", UNIT, "quantity", f"price, {UNIT}"), lines)
    fee_note = f"The provider pays the fee of {body['fee']} {UNIT} out of it and pledges {body['bond']} {UNIT}."
    how = f"Book it: {program.line('market book')} --quote {row['id']}"
    return Group(table, fee_note, how)


def booking(row: dict[str, Any], events: Iterable[dict[str, Any]] = ()) -> RenderableType:
    table = Table(title=f"Booking {row['id']}", title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines_of(row):
        if value:
            table.add_row(name, value)
    transitions = list(events)
    return Group(table, timeline(transitions)) if transitions else table


def lines_of(row: dict[str, Any]) -> Iterable[tuple[str, str | Text]]:
    yield "state", coloured(row["state"]).append(f" ({row['outcome']})" if row["outcome"] else "")
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


def timeline(transitions: Iterable[dict[str, Any]]) -> Grid:
    lines = [(moment(one["at"]), coloured(one["to_state"]), one["actor"], one["reason"]) for one in transitions]
    return Grid("What happened", ("when", "became", "by", "because"), lines)


def bookings(page: dict[str, Any]) -> Grid:
    lines = [
        (
            one["id"], coloured(one["state"]), one["role"], one["owed"],
            one["escrow"], moment(one["ends_at"])[:19], str(one["gpu_count"]), one["gpu_model"] or "GPU", one["rate"],
            (one["outcome"] or "").replace("_", " "), moment(one["starts_at"])[:19],
        )
        for one in page["items"]
    ]  # fmt: skip
    heads = (
        "booking", "state", "you are", f"used {UNIT}", f"set aside {UNIT}", "until (UTC)", "GPUs", "model",
        f"{UNIT}/h", "outcome", "from (UTC)",
    )  # fmt: skip
    none = "No bookings. Find something with `market search`, then `market book OFFER --hours 1`."
    return Grid("Bookings", heads, lines, note=more(page), none=none)


def reviews(page: dict[str, Any]) -> Grid:
    lines = []
    for one in page["items"]:
        note = "not counted: they rent from each other" if one["reciprocal"] else "hidden" if one["hidden"] else ""
        stars = "★" * one["rating"] + "☆" * (5 - one["rating"])
        lines.append(
            (one["id"], stars, one["text"], one["reply"], one["subject"], moment(one["created_at"])[:19], note)
        )
    heads = ("review", "stars", "text", "answer", "of the", "when (UTC)", "note")
    none = "No reviews yet: they are written after settled bookings, with `market review`."
    return Grid("Reviews", heads, lines, note=more(page), none=none)


def fields(title: str, row: dict[str, Any]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for name, value in row.items():
        table.add_row(name.replace("_", " "), str(value))
    return table


def coloured(state: str) -> Text:
    return Text(state.replace("_", " "), style=COLOURS.get(state, "red"))


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
