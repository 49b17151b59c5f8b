"""Benchmarks as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from apps.gpu.management.tables.layout import pairs


def benchmark(told: dict[str, Any]) -> Group:
    """One benchmark, term by term."""
    head = pairs(f"Benchmark {told['id']}")
    for name in ("gpu", "state", "device", "score", "requested_by", "requested_at", "begun_at", "ended_at"):
        if told[name] is not None and told[name] != "":
            head.add_row(name.replace("_", " "), str(told[name]))
    figures = Table("figure", "median", "95 %", "unit", "÷ catalogue", title_justify="left")
    ratios = {term["term"]: term for term in told["verdict"].get("terms", [])}
    for name, one in told["results"].items():
        term = ratios.get({"mem_bandwidth_gbps": "bandwidth_gbps"}.get(name, name))
        share = f"{term['ratio']:.2f}" + ("" if term["ok"] else " ✗") if term else "–"
        figures.add_row(name, f"{one['median']:g}", f"{one['low']:g} … {one['high']:g}", one["unit"], share)
    why = [Text(f"! {reason}", style="yellow") for reason in told["verdict"].get("reasons", [])]
    return Group(head, *([figures] if told["results"] else []), *why)


def benchmarks(page: dict[str, Any]) -> Table | Text:
    if not page["items"]:
        return Text("No benchmark yet: `gpu benchmark CARD` asks for one.")
    table = Table("asked for", "state", "device", "score", "by", "why")
    for one in page["items"]:
        why = "; ".join(one["verdict"].get("reasons", []))
        score = "–" if one["score"] is None else f"{one['score']:.1f}"
        table.add_row(one["requested_at"], one["state"], one["device"] or "–", score, one["requested_by"], why)
    return table
