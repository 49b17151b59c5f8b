"""Benchmarks as tables."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.text import Text

from aitbc.core.cli.tables import Grid, more
from apps.gpu.management.tables.layout import pairs


def benchmark(record: dict[str, Any]) -> Group:
    """One benchmark, term by term."""
    head = pairs(f"Benchmark {record['id']}")
    for name in ("gpu", "state", "device", "score", "requested_by", "requested_at", "begun_at", "ended_at"):
        if record[name] is not None and record[name] != "":
            head.add_row(name.replace("_", " "), str(record[name]))
    measured = []
    ratios = {term["term"]: term for term in record["verdict"].get("terms", [])}
    for name, one in record["results"].items():
        term = ratios.get({"mem_bandwidth_gbps": "bandwidth_gbps"}.get(name, name))
        share = f"{term['ratio']:.2f}" + ("" if term["ok"] else " ✗") if term else "–"
        measured.append((name, f"{one['median']:g}", one["unit"], share, f"{one['low']:g} … {one['high']:g}"))
    why = [Text(f"! {reason}", style="yellow") for reason in record["verdict"].get("reasons", [])]
    measurements = Grid("Measured", ("figure", "median", "unit", "÷ catalogue", "95 %"), measured)
    return Group(head, *([measurements] if measured else []), *why)


def benchmarks(page: dict[str, Any]) -> Grid:
    lines = []
    for one in page["items"]:
        why = "; ".join(one["verdict"].get("reasons", []))
        score = "–" if one["score"] is None else f"{one['score']:.1f}"
        lines.append((one["requested_at"][:19], one["state"], score, one["device"] or "–", why, one["requested_by"]))
    heads = ("requested (UTC)", "state", "score", "device", "why", "by")
    return Grid(
        "Benchmarks", heads, lines, none="No benchmark yet: `gpu benchmark CARD` requests one.", note=more(page)
    )
