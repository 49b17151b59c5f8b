"""Benchmarks as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from apps.gpu.management.tables.layout import pairs


def benchmark(record: dict[str, Any]) -> Group:
    """One benchmark, term by term."""
    head = pairs(f"Benchmark {record['id']}")
    for name in ("gpu", "state", "device", "score", "requested_by", "requested_at", "begun_at", "ended_at"):
        if record[name] is not None and record[name] != "":
            head.add_row(name.replace("_", " "), str(record[name]))
    measurements = Table("figure", "median", "95 %", "unit", "÷ catalogue", title_justify="left")
    ratios = {term["term"]: term for term in record["verdict"].get("terms", [])}
    for name, one in record["results"].items():
        term = ratios.get({"mem_bandwidth_gbps": "bandwidth_gbps"}.get(name, name))
        share = f"{term['ratio']:.2f}" + ("" if term["ok"] else " ✗") if term else "–"
        measurements.add_row(name, f"{one['median']:g}", f"{one['low']:g} … {one['high']:g}", one["unit"], share)
    why = [Text(f"! {reason}", style="yellow") for reason in record["verdict"].get("reasons", [])]
    return Group(head, *([measurements] if record["results"] else []), *why)


def benchmarks(page: dict[str, Any]) -> Table | Text:
    if not page["items"]:
        return Text("No benchmark yet: `gpu benchmark CARD` requests one.")
    table = Table("asked for", "state", "device", "score", "by", "why")
    for one in page["items"]:
        why = "; ".join(one["verdict"].get("reasons", []))
        score = "–" if one["score"] is None else f"{one['score']:.1f}"
        table.add_row(one["requested_at"], one["state"], one["device"] or "–", score, one["requested_by"], why)
    return table
