"""How the `job` command shows things on a terminal."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

COLOURS = {
    "submitted": "cyan", "queued": "cyan", "running": "yellow", "succeeded": "green", "settled": "bold green",
    "failed": "red", "dead": "red", "expired": "magenta", "cancelled": "magenta", "refused": "red",
}  # fmt: skip
SHOWN = (
    "id", "state", "task_type", "model", "attempt", "max_attempts", "priority", "progress", "progress_note",
    "assigned_miner_id", "payment_amount", "payment_status", "paid", "refunded", "receipt_id", "outcome", "error",
    "created_at", "started_at", "completed_at", "expires_at",
)  # fmt: skip


def state(word: str) -> Text:
    return Text(word, style=COLOURS.get(word, ""))


def fields(title: str, values: dict[str, Any], names: tuple[str, ...] = ()) -> Table:
    """Two columns: name and value, without what is empty."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name in names or tuple(values):
        value = values.get(name)
        if value not in (None, "", {}, []):
            table.add_row(name, state(value) if name == "state" else _plain(value))
    return table


def job(one: dict[str, Any]) -> Table:
    return fields(f"Job {one['id']}", one, SHOWN)


def jobs(page: dict[str, Any]) -> RenderableType:
    table = Table(title="Jobs", title_justify="left")
    for name in ("id", "state", "task", "attempt", "payment", "created"):
        table.add_column(name, no_wrap=name == "id")
    for one in page["items"]:
        table.add_row(
            one["id"], state(one["state"]), escape(one["task_type"]), f"{one['attempt']}/{one['max_attempts']}",
            f"{one['payment_amount']} {one['payment_status']}", one["created_at"][:19],
        )  # fmt: skip
    if not page.get("next"):
        return table
    return Group(table, Text(f"more: --cursor {page['next']}", overflow="fold"))


def result(one: dict[str, Any]) -> Table:
    return fields(f"Result of job {one['job_id']}", {name: one[name] for name in one if name not in ("id", "receipt")})


def explanation(why: dict[str, Any]) -> RenderableType:
    names = ("state", "summary", "waited_seconds", "online_miners", "fitting_miners", "position", "estimate_seconds")
    head = fields(f"Job {why['job_id']}", why, names)
    if not why.get("constraints"):
        return head
    table = Table(title="Constraints", title_justify="left")
    for name in ("constraint", "value", "miners that pass", "miners if relaxed"):
        table.add_column(name)
    for one in why["constraints"]:
        table.add_row(one["name"], _plain(one["value"]), str(one["pass"]), str(one["if_relaxed"]))
    return Group(head, table)


def move(news: dict[str, Any]) -> Text:
    """One line of a job's timeline."""
    line = Text(f"{news['at'][11:19]}  ")
    line.append_text(state(news["state"]))
    return line.append(f"  {news['actor']}  {news['reason']}", style="dim")


def _plain(value: Any) -> str:
    return escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
