"""What a GPU earns its owner: net per hour, break-even price, recommended price. Pure: no Django.

net/h = price · u · (1 − fee) − (W_idle · (1 − u) + W_load · u) / 1000 · price of a kWh. Amounts are micro-AIT, whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

BASIS = 10_000  # basis points in one
IDLE_SHARE = Decimal("0.08")  # of the design power, what an idle card draws with a driver loaded
MARGIN = Decimal("0.25")  # over break-even: wear, risk, the owner's time


@dataclass(frozen=True)
class Costs:
    """Utilisation 0 … 1, watts idle and at work, micro-AIT per kWh, the market's fee in basis points."""

    utilisation: Decimal
    idle_w: Decimal
    load_w: Decimal
    power_price: int
    fee_bp: int

    @property
    def energy(self) -> Decimal:
        """Micro-AIT per hour."""
        drawn = self.idle_w * (1 - self.utilisation) + self.load_w * self.utilisation
        return drawn / 1000 * self.power_price

    @property
    def share(self) -> Decimal:
        """Of the price, what reaches the owner."""
        return self.utilisation * (BASIS - self.fee_bp) / BASIS


def net(price: int, costs: Costs) -> int:
    """Return the net income in micro-AIT per hour, rounded down; negative is a loss."""
    return int((price * costs.share - costs.energy).to_integral_value(ROUND_FLOOR))


def break_even(costs: Costs) -> int | None:
    """Return the least price without a loss, in micro-AIT per hour, rounded up; None for a GPU that is never used."""
    return None if costs.share == 0 else int((costs.energy / costs.share).to_integral_value(ROUND_CEILING))


def recommended(costs: Costs) -> int | None:
    """Return break-even plus a quarter, in micro-AIT per hour; None for a GPU that is never used."""
    least = break_even(costs)
    return None if least is None else int((least * (1 + MARGIN)).to_integral_value(ROUND_CEILING))
