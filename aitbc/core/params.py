"""Governed parameters: typed defaults and bounds; nobody reads a constant that stands here.

`get` answers the default, or the value an operator set by AITBC_PARAMS (a JSON object), bounded by the registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from aitbc.settings.env import env

Value = int | float | bool


@dataclass(frozen=True)
class Param:
    """One parameter: its default, the bounds it may never leave, and the largest single change (None = any)."""

    default: Value
    low: float | None = None
    high: float | None = None
    step: float | None = None

    def bounded(self, value: Value) -> Value:
        """The value as this parameter's type; raises ValueError when out of bounds."""
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ValueError("is true or false")
            return value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError("is a number")
        if isinstance(self.default, int) and value != int(value):
            raise ValueError("is a whole number")
        if (self.low is not None and value < self.low) or (self.high is not None and value > self.high):
            raise ValueError(f"lies between {self.low} and {self.high}")
        return type(self.default)(value)


REGISTRY: dict[str, Param] = {
    "trading.maker_bp": Param(5, 0, 100, 10),
    "trading.taker_bp": Param(20, 0, 200, 10),
    "trading.settlement_bp": Param(100, 0, 500, 50),
    "trading.max_open_orders": Param(200, 10, 5000),
    "trading.price_band_bp": Param(2000, 200, 10000),
    "trading.ack_timeout_s": Param(3600, 60, 604800),
    "trading.dispute_window_s": Param(86400, 3600, 1209600),
    "market.fee_bp": Param(300, 0, 1500, 100),
    "market.order_max_bids": Param(20, 2, 500),
    "market.bid_bond_min": Param(500_000, 0, 10**8),
    "market.min_charge_s": Param(60, 0, 3600),
    "market.t_prov_s": Param(600, 60, 3600),
    "market.preempt_grace_s": Param(30, 0, 600),
    "market.reclaim_min_s": Param(3600, 0, 2592000),
    "market.dynamic_k": Param(0.5, 0, 2),
    "market.dynamic_target": Param(0.75, 0.3, 0.95),
    "market.sealed_slash_bp": Param(1000, 0, 10000),
    "jobs.lease_timeout_s": Param(60, 15, 900),
    "jobs.max_attempts": Param(3, 1, 10),
    # How long a cancelled job waits for gpu to say what ran; then it ends with a full refund.
    "jobs.cancel_deadline_s": Param(600, 30, 86400),
    # The most that is billed for finding an input bad which the exchange's own schema shows to be so.
    "jobs.invalid_input_s": Param(10, 0, 900),
    # How long the file of a large result is kept after its job has ended.
    "jobs.result_retention_s": Param(7_776_000, 86_400, 315_360_000),
    # MiB that the artifacts of one owner may take.
    "jobs.artifact_quota_mb": Param(10_240, 1, 2**30),
    # The price, micro-AIT per hour, of a miner that names none.
    "jobs.reference_rate": Param(1_000_000, 0, 10**12),
    # The ceiling of a paid job that names none: percent of the market's median rate; and, in micro-AIT per hour, where
    # there is no median, or one of very few owners.
    "jobs.price_ceiling_pct": Param(300, 100, 10_000),
    "jobs.default_max_price": Param(10_000_000, 0, 10**12),
    # The highest price, micro-AIT per hour, that a miner or one of its GPUs may be registered with.
    "miner.max_price": Param(1_000_000_000, 0, 10**12),
    "miner.heartbeat_s": Param(15, 5, 120),
    "miner.offline_misses": Param(3, 2, 20),
    "gpu.retest_days": Param(7, 1, 90),
    # Micro-AIT: two operators decide about a reversal or withdrawal of more.
    "ledger.two_person_above": Param(1_000_000_000, 0, 10**15),
    # How long a proposed reversal waits for its second operator.
    "ledger.proposal_s": Param(86_400, 600, 2_592_000),
    # How long a withdrawal waits to be approved.
    "ledger.withdrawal_review_s": Param(604_800, 3_600, 7_776_000),
    "log.seal_interval_s": Param(10, 1, 300),
    "log.seal_max": Param(256, 16, 8192),
    "log.anchor_interval_s": Param(21600, 600, 604800),
    "gov.voting_delay_s": Param(86400, 0, 604800),
    "gov.voting_period_s": Param(259200, 3600, 2592000),
    "gov.timelock_s": Param(172800, 3600, 2592000),
    "gov.quorum_bp": Param(400, 50, 5000, 100),
    "gov.threshold_bp": Param(5000, 5000, 9000),
    "gov.super_quorum_bp": Param(6000, 5000, 10000),
    "gov.hold_s": Param(604800, 0, 7776000),
    "gov.max_share_bp": Param(2500, 500, 10000),
    "gov.proposal_threshold_bp": Param(10, 0, 500),
    "gov.late_ext_s": Param(86400, 0, 604800),
    "openclaw.bandit_gamma": Param(0.997, 0.9, 1),
    "openclaw.explore_share": Param(0.05, 0, 0.2),
    "openclaw.offload_confidence": Param(0.95, 0.5, 0.999),
    "edge.lease_ttl_s": Param(15, 5, 120),
    "plugins.revenue_share_bp": Param(1500, 0, 5000),
    "plugins.auto_publish": Param(True),
    "slo.objective_default": Param(0.995, 0.9, 0.9999),
}


@cache
def overrides() -> dict[str, Value]:
    """What the operator set by AITBC_PARAMS; a value out of bounds stops the process with a message."""
    overrides = env.json("AITBC_PARAMS", default={})
    try:
        return {key: REGISTRY[key].bounded(value) for key, value in overrides.items()}
    except KeyError as error:
        raise ValueError(f"AITBC_PARAMS: there is no parameter {error.args[0]}") from None
    except ValueError as error:
        raise ValueError(f"AITBC_PARAMS: a value {error}") from None


def get(key: str) -> int:
    """The present value of a whole-number parameter."""
    return int(overrides().get(key, REGISTRY[key].default))


def number(key: str) -> float:
    """The present value of a fractional parameter."""
    return float(overrides().get(key, REGISTRY[key].default))
