"""The whole exchange in one process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aitbc.core import invariants
from tests.clients import Api
from tests.flows.exchange import Exchange


@pytest.fixture
def exchange(client_api: Api, miner_api: Api, operator_api: Api, drain: Callable[[], int]) -> Exchange:
    return Exchange(client_api, miner_api, operator_api, drain)


@pytest.fixture(autouse=True)
def books_balance_afterwards(request: pytest.FixtureRequest):
    """Whatever a flow did, every invariant holds when it is over."""
    yield
    violations = [f"{one.name} {line}" for one, lines in invariants.run().items() for line in lines]
    assert violations == []
