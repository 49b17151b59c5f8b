"""What several tests of the architecture begin with."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.trading.services import log
from tests.architecture.probes import Life, parts
from tests.clients import Api


@pytest.fixture
def life(api_for: Callable[..., Api], anonymous_api: Api, drain: Callable[[], int]) -> Life:
    """One life with everything that the probes of all domains need, and a block."""
    callers = [api_for(f"{scope}-1", scope) for scope in ("client", "miner", "operator")]
    found = Life(1, *callers, anonymous=anonymous_api, drain=drain)
    for live in parts("live"):
        live(found)
    drain()
    log.seal()
    return found
