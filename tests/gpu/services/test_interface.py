"""What other domains may ask gpu."""

from __future__ import annotations

from collections.abc import Callable

from apps.gpu import interface
from apps.gpu.models import Miner
from tests.clients import Api
from tests.gpu.api.test_miner_protocol import M
from tests.gpu.conftest import ANYTHING


def test_why_a_job_waits(miner_api: Api, enqueue: Callable[..., str]) -> None:
    miner_api.json(
        "POST", f"{M}/register", {"capabilities": {"models": ["phi"], "price": "2"}, "region": "eu"}, status=200
    )
    requirement = {**ANYTHING, "models": ["phi"], "region": "us", "max_price": 3_000_000}
    first = enqueue(models=["phi"], region="us", max_price=3_000_000)
    second = enqueue(models=["phi"], region="us", max_price=3_000_000)

    response = interface.explain(requirement, second)

    by_name = {one["name"]: (one["pass"], one["if_relaxed"]) for one in response.constraints}
    assert response.online_miners == 1 and response.fitting_miners == 0
    assert by_name == {"task_type": (1, 0), "models": (1, 0), "region": (0, 1), "max_price": (1, 0)}
    assert (response.position, response.ahead, response.estimate_seconds) == (2, 1, None)
    assert interface.explain(requirement, first).position == 1
    assert interface.holder(first) is None


def test_who_holds_a_job(held: str) -> None:
    view = interface.holder(held)

    assert view is not None and view.attempt == 1 and view.miner_id == Miner.objects.get().pk and not view.cancelling
