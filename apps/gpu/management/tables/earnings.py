"""The earnings of a GPU as a table."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from apps.gpu.management.tables.layout import pairs


def earnings(advice: dict[str, Any]) -> Table:
    table = pairs(f"Earnings of {advice['gpu_id']} per hour")
    none = "never: it is not used"
    rows = (
        ("price", f"{advice['price_per_hour']} AIT"), ("rented", f"{float(advice['utilisation']):.0%} of the time"),
        ("power", f"{advice['load_w']} W at work, {advice['idle_w']} W idle"),
        ("energy", f"{advice['energy_per_hour']} AIT at {advice['power_price']} AIT/kWh"),
        ("market's fee", f"{advice['fee_bp'] / 100:g} %"), ("net", f"{advice['net_per_hour']} AIT"),
        ("break even at", f"{advice['break_even_price']} AIT" if advice["break_even_price"] else none),
        ("ask", f"{advice['recommended_price']} AIT" if advice["recommended_price"] else none),
    )  # fmt: skip
    for name, value in rows:
        table.add_row(name, value)
    return table
