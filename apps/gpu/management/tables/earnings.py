"""The earnings of a GPU as a table."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from apps.gpu.management.tables.layout import pairs


def earnings(told: dict[str, Any]) -> Table:
    table = pairs(f"Earnings of {told['gpu_id']} per hour")
    none = "never: it is not used"
    rows = (
        ("price", f"{told['price_per_hour']} AIT"), ("rented", f"{float(told['utilisation']):.0%} of the time"),
        ("power", f"{told['load_w']} W at work, {told['idle_w']} W idle"),
        ("energy", f"{told['energy_per_hour']} AIT at {told['power_price']} AIT/kWh"),
        ("market's fee", f"{told['fee_bp'] / 100:g} %"), ("net", f"{told['net_per_hour']} AIT"),
        ("break even at", f"{told['break_even_price']} AIT" if told["break_even_price"] else none),
        ("ask", f"{told['recommended_price']} AIT" if told["recommended_price"] else none),
    )  # fmt: skip
    for name, value in rows:
        table.add_row(name, value)
    return table
