"""Tables of the `job` command for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from aitbc.core.cli.tables import Grid, coloured, fields, more, rows
from aitbc.core.cli.text import one_line
from apps.ai.states import OPEN_PAYMENTS

SHOWN = (
    "id", "state", "task_type", "model", "attempt", "max_attempts", "priority", "progress", "progress_note",
    "assigned_miner_id", "payment_amount", "payment_status", "paid", "fee", "refunded", "receipt_id", "outcome",
    "error", "created_at", "started_at", "completed_at", "expires_at",
)  # fmt: skip
LISTED = ("id", "state", "task_type", "payment_amount", "created_at", "payment_status", "attempt")
EXPLAINED = ("state", "summary", "waited_seconds", "online_miners", "fitting_miners", "position", "estimate_seconds")


def job(one: dict[str, Any]) -> Table:
    return fields(f"Job {one['id']}", one, SHOWN)


def ended(one: dict[str, Any]) -> RenderableType:
    """The table of a job that has ended, with a line below it while its money has not moved."""
    if one["payment_status"] not in OPEN_PAYMENTS:
        return job(one)
    return Group(job(one), f"Its payment is still {one['payment_status']}: `job status` shows what comes of it.")


def jobs(page: dict[str, Any]) -> Grid:
    return rows("Jobs", page["items"], LISTED, note=more(page))


def result(one: dict[str, Any]) -> Table:
    return fields(f"Result of job {one['job_id']}", {name: one[name] for name in one if name not in ("id", "receipt")})


def explanation(answer: dict[str, Any]) -> RenderableType:
    head = fields(f"Job {answer['job_id']}", answer, EXPLAINED)
    if not answer.get("constraints"):
        return head
    constraints = [
        {"constraint": one["name"], "value": one["value"], "miners that pass": one["pass"],
         "miners if relaxed": one["if_relaxed"]}
        for one in answer["constraints"]
    ]  # fmt: skip
    return Group(head, rows("Constraints", constraints, tuple(constraints[0])))


def transition(data: dict[str, Any]) -> Text:
    """One line of a job's history."""
    line = Text(f"{data['at'][11:19]}Z  ").append_text(coloured(data["state"]))
    return line.append(one_line(f"  {data['actor']}  {data['reason']}"), style="dim")
