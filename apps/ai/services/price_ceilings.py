"""What a job may cost per hour: its client's max_price, else, where it is paid, a ceiling from the market."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

from aitbc.core import params
from apps.ai.logic.price_ceilings import market_ceiling
from apps.ai.logic.requirements import Requirement
from apps.ai.models import AIJob
from apps.ai.states import PriceSource
from apps.gpu.interface import MarketRate, market_rate


def set_ceiling(job: AIJob) -> None:
    """Set the ceiling (micro-AIT per hour) of a new job, in its requirement too.

    An unpaid job has its client's or none. The market's rates are cached (gpu); while they cannot be read, the
    parameter jobs.default_max_price holds.
    """
    requirement: Requirement = job.requirement
    job.max_price = requirement["max_price"]
    if job.max_price is not None:
        job.max_price_source = PriceSource.CLIENT
    elif job.is_paid:
        job.max_price, job.max_price_source = _ceiling_for(requirement), PriceSource.MARKET
        job.requirement = {**requirement, "max_price": job.max_price}


def _ceiling_for(requirement: Requirement) -> int:
    rate = _market_rate(requirement)
    return market_ceiling(
        rate.median if rate else None, owners=rate.owners if rate else 0,
        percent=params.get("jobs.price_ceiling_pct"), default=params.get("jobs.default_max_price"),
    )  # fmt: skip


def _market_rate(requirement: Requirement) -> MarketRate | None:
    try:
        return market_rate(requirement)
    except (OperationalError, InterfaceError):
        return None  # gpu is down: the job waits anyway
