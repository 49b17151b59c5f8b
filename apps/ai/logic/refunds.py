"""Who pays when a job ends without a result: the table of refunds, which trading executes.

The whole payment is held while the job lives. Metered means that the milliseconds the last attempt ran are paid at the
rate of its lease, at most the hold, and the rest is refunded. For people the table is in docs/jobs.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apps.ai.logic.outcomes import Outcome


class Fault(StrEnum):
    """Who is responsible for the outcome."""

    CLIENT = "client"
    MINER = "miner"
    PLATFORM = "platform"
    NOBODY = "nobody"


class Bill(StrEnum):
    """What happens to the held payment."""

    FULL_REFUND = "full refund"
    METERED = "metered seconds to the miner, the rest refunded"


@dataclass(frozen=True)
class Rule:
    """One row of the table: who is responsible, and what that means for the held payment."""

    fault: Fault
    bill: Bill


_MINER = Rule(Fault.MINER, Bill.FULL_REFUND)

RULES: dict[Outcome, Rule] = {
    Outcome.INSUFFICIENT_FUNDS: Rule(Fault.CLIENT, Bill.FULL_REFUND),  # nothing was held
    Outcome.CANCELLED_BEFORE_START: Rule(Fault.CLIENT, Bill.FULL_REFUND),
    Outcome.CANCELLED_AFTER_START: Rule(Fault.CLIENT, Bill.METERED),
    Outcome.BAD_INPUT: Rule(Fault.CLIENT, Bill.METERED),
    Outcome.BAD_INPUT_UNPROVEN: Rule(Fault.NOBODY, Bill.FULL_REFUND),
    Outcome.DELETED: Rule(Fault.PLATFORM, Bill.FULL_REFUND),
    Outcome.PLATFORM_FAULT: Rule(Fault.PLATFORM, Bill.FULL_REFUND),
    Outcome.QUEUE_TIMEOUT: Rule(Fault.NOBODY, Bill.FULL_REFUND),
    Outcome.TOTAL_TIMEOUT: Rule(Fault.NOBODY, Bill.FULL_REFUND),
    Outcome.START_TIMEOUT: _MINER,
    Outcome.HEARTBEAT_TIMEOUT: _MINER,
    Outcome.EXECUTION_TIMEOUT: _MINER,  # the limit is known to the miner when it takes the lease
    Outcome.OUT_OF_MEMORY: _MINER,  # and so is its own memory
    Outcome.ENGINE_ERROR: _MINER,
    Outcome.INFERENCE_FAILED: _MINER,
    Outcome.REFUSED_BY_MINER: _MINER,
    Outcome.CANCELLED_BY_MINER: _MINER,
    Outcome.DRAINING: _MINER,
    Outcome.MINER_GONE: _MINER,
    Outcome.UNKNOWN: _MINER,
}


def billable_ms(outcome: Outcome, metered_ms: int) -> int:
    """Return the milliseconds the client pays for of the metered ones; 0 is a full refund."""
    return max(0, metered_ms) if RULES[outcome].bill is Bill.METERED else 0
