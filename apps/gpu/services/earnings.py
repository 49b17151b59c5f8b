"""What a GPU of the registry earns: its row put into the formula of logic/earnings.py."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from aitbc.core import params
from apps.gpu.errors import GpuUnfit
from apps.gpu.logic import earnings
from apps.gpu.models import GPURegistry


def advise(
    gpu: GPURegistry,
    *,
    power_price: int,
    utilisation: Decimal,
    price: int | None = None,
    idle_w: Decimal | None = None,
    load_w: Decimal | None = None,
) -> dict[str, Any]:
    """Return net per hour, break-even and recommended price in micro-AIT, with the source of each input.

    `power_price` is in micro-AIT per kWh. Raises GpuUnfit when the card's power is neither known nor sent.
    """
    load, load_from = _load(gpu, load_w)
    idle, idle_from = (idle_w, "given") if idle_w is not None else (load * earnings.IDLE_SHARE, "8 % of full load")
    hourly_price = (
        price if price is not None else gpu.price_per_hour or gpu.miner.price or params.get("jobs.reference_rate")
    )
    costs = earnings.Costs(utilisation, idle, load, power_price, params.get("market.fee_bp"))
    return {
        "gpu_id": str(gpu.pk), "price_per_hour": hourly_price, "power_price": power_price,
        "utilisation": f"{utilisation:f}",
        "idle_w": f"{idle:.1f}", "load_w": f"{load:.1f}", "fee_bp": costs.fee_bp,
        "energy_per_hour": int(costs.energy.to_integral_value(ROUND_HALF_UP)), "net": earnings.net(hourly_price, costs),
        "break_even_price": earnings.break_even(costs), "recommended_price": earnings.recommended(costs),
        "inputs": {"load_w": load_from, "idle_w": idle_from, "fee_bp": "market.fee_bp"},
    }  # fmt: skip


def _load(gpu: GPURegistry, requested: Decimal | None) -> tuple[Decimal, str]:
    """Watts at work: as requested, its power limit, its default limit, or its model's design power."""
    reported = gpu.details.get("power") or {}
    design = gpu.profile.tdp_w if gpu.profile else None
    known = (
        (requested, "given"),
        (reported.get("limit_w"), "power limit"),
        (reported.get("default_w"), "default power limit"),
        (design, "design power of its model"),
    )
    for watts, source in known:
        if watts:
            return Decimal(str(watts)), source
    raise GpuUnfit("Nobody knows how much power this card draws: give load_w.", state=gpu.state)
