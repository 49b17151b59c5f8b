"""Calls of the ai routes for the placeholder detector."""

from __future__ import annotations

from tests.architecture.probes import Life, Probe

MAX_PRICES = {1: "0.5", 2: "50"}


def live(life: Life) -> None:
    """Make an artifact, and a job that no miner of this life takes; the probes of gpu make the rest."""
    life.things["content"] = f"file {life.number} " * life.number
    upload = life.client.json("POST", "/ai/artifacts", life.things["content"].encode(), status=201)
    life.things["sha256"] = upload["sha256"]
    constraints = {"max_price": MAX_PRICES[life.number], "region": f"r{life.number}"}
    waiting = {"task_type": f"waits-{life.number}", "constraints": constraints, "payment_amount": str(life.number)}
    life.things["waiting"] = life.client.json("POST", "/ai/jobs", waiting, status=201)["id"]
    life.drain()


PROBES = [
    Probe("client", "GET", "/ai/jobs"),
    *(
        Probe("client", "GET", f"/ai/jobs/{{job}}{part}")
        for part in ("", "/result", "/payment", "/receipt", "/events", "/stream")
    ),
    Probe("client", "GET", "/ai/jobs/{waiting}/explain"),
    Probe("client", "POST", "/ai/jobs", {"task_type": "{task}", "payload": {}, "payment_amount": "0.{number}"}),
    Probe("operator", "GET", "/ai/admin/jobs?task_type={task}"),
    Probe("operator", "GET", "/ai/admin/jobs/{waiting}"),
    Probe("operator", "POST", "/ai/admin/jobs/{waiting}/prioritize", {"reason": "because", "priority": "{number}"}),
    Probe("client", "POST", "/ai/jobs/{waiting}/cancel"),
    Probe("operator", "DELETE", "/ai/admin/jobs/{waiting}"),
    Probe("client", "POST", "/ai/artifacts", "{content}{number}"),
    Probe("client", "GET", "/ai/artifacts"),
    Probe("client", "GET", "/ai/artifacts/{sha256}"),
    Probe("client", "DELETE", "/ai/artifacts/{sha256}"),
]  # fmt: skip
