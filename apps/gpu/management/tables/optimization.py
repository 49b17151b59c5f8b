"""A recommendation as a table."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from aitbc.core.cli.tables import Grid
from apps.gpu.management.tables.layout import pairs


def advice(report: dict[str, Any]) -> Group:
    """What to set, what to expect, what else fits, how to do it."""
    parts: list[Any] = [_plan(report) if report["fits"] else _elsewhere(report), _formats(report)]
    parts += [Text(f"! {text}", style="yellow") for text in report["warnings"]]
    if report["commands"]:
        parts += [
            Text("set it:   " + "; ".join(report["commands"])),
            Text("undo it:  " + "; ".join(report["rollback"])),
        ]
    if report.get("order"):
        parts.append(
            Text(f"order {report['order']['order_id']} is {report['order']['state']}; a benchmark will judge it")
        )
    return Group(*parts)


def _plan(report: dict[str, Any]) -> Table:
    best, expected = report["recommended"], report["predicted"]
    speed, change = expected["tok_s"], report["vs_current"]
    table = pairs(
        f"{report['model']} on {report['current']['gpu']} ({report['current']['device']}), {report['objective']}"
    )
    limit = f"{best['power_limit_w']:g} W" if best["power_limit_w"] else f"not set: {best['power_limit_reason']}"
    rows = [
        ("format", f"{best['quantisation']} (loss of quality: {best['quality_loss']}), cache {best['kv_dtype']}"),
        ("users × context", f"{best['batch']} × {best['ctx']} (up to {best['ctx_max']})"), ("power limit", limit),
        ("tokens/s", f"{speed['p50']:g} (p10 {speed['p10']:g}, p90 {speed['p90']:g})"),
        ("each user", f"{expected['tok_s_per_user']:g} tokens/s"),
        ("energy", f"{expected['J_per_token']:g} J per token" if expected["J_per_token"] else "not known"),
        ("limited by", report["bottleneck"]), ("known from", report["confidence"]),
    ]  # fmt: skip
    if change:
        rows.append(
            ("against now", f"{change['speed_change']:+.1%} speed, {change['energy_change']:+.1%} energy per token")
        )
    for name, value in rows:
        table.add_row(name, value)
    for engine, flags in best["engine_flags"].items():
        table.add_row(engine, flags)
    return table


def _elsewhere(report: dict[str, Any]) -> Table:
    table, other = pairs(f"{report['model']} does not fit on {report['current']['gpu']}"), report["alternatives"]
    shorter, several, offload = other["shorter_ctx"], other["gpus"], other["offload"]
    rows = (
        ("smaller format", other["smaller_quantisation"]),
        ("shorter context", shorter and f"{shorter['ctx_max']} tokens as {shorter['quantisation']}"),
        ("more cards", several and f"{several['count']} of them as {several['quantisation']}"),
        ("with host memory", f"{offload['tok_s']:g} tokens/s as {offload['quantisation']}"),
        ("largest that fits", f"{other['largest_model_b']['q4_k_m']:g}B as q4_k_m"),
    )
    for name, value in rows:
        table.add_row(name, str(value or "none"))
    return table


def _formats(report: dict[str, Any]) -> Grid:
    lines = []
    for one in report["fits_table"]:
        speed = f"{one['tok_s']['p10']:g} – {one['tok_s']['p90']:g}" if one["tok_s"] else "does not fit"
        first = f"{one['ttft_ms']:g} ms" if one["ttft_ms"] else "–"
        sizes = (f"{one['need_gb']:.1f} GB", f"{one['headroom_gb']:.1f} GB")
        cells = (one["quantisation"], *sizes, speed, one["quality_loss"], first)
        lines.append([Text(cell, style="" if one["fits"] else "dim") for cell in cells])
    return Grid("Formats", ("format", "needs", "left", "tokens/s p10–p90", "loss", "first token"), lines)
