"""The placeholder detector: no endpoint answers the same whatever it is sent.

Every operation of the schema is tried in two lives that have nothing in common; ids, times and echoes of the question
are struck out, and what is left must differ. An endpoint that is neither tried nor listed as constant, with its reason,
fails the test: so do the endpoints of domains that do not exist yet.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.architecture.probes import Life, parts
from tests.clients import Api
from tests.contract import by_route, operations, route_of, simplified
from tests.owners import operator

# Endpoints of the whole project that answer the same to everybody; a domain's own say so in their probe.
CONSTANT = {
    r"*_health_live": "alive is all it says, without asking anything",
    r"*_ready": "an idle exchange is ready, and nothing waits in any outbox",
    "aitbc_services": "the table of domains",
    "aitbc_well_known_aitbc_keys_keys": "the published keys change with a rotation only (tests/core/test_signing.py)",
}


def is_constant(operation_id: str, listed: dict[str, str]) -> bool:
    return any(operation_id == name or (name.startswith("*") and operation_id.endswith(name[1:])) for name in listed)


@pytest.fixture
def lives(api_for: Callable[..., Api], anonymous_api: Api, drain: Callable[[], int]) -> tuple[Life, Life]:
    found = []
    for number in (1, 2):
        callers = [*(api_for(f"{scope}-{number}", scope) for scope in ("client", "miner")), operator(f"op-{number}")]
        life = Life(number, *callers, anonymous=anonymous_api, drain=drain)
        for live in parts("live"):
            live(life)
        found.append(life)
    return found[0], found[1]


def test_every_door_answers_what_it_is_asked(lives):
    tried: dict[str, str] = {}
    for probe in [probe for probes in parts("PROBES") for probe in probes]:
        answers = []
        for life in lives:
            answer = probe.call(life)
            where = f"{probe.method} {life.filled(probe.path)}"
            assert answer.status_code < 300, f"{where}: {answer.content!r}"
            answers.append(probe.content(life, answer))
        _, operation = by_route()[probe.method, simplified(route_of(answer))]
        tried[operation["operationId"]] = where
        silent = answer.status_code == 204 or probe.constant
        assert silent or answers[0] != answers[1], f"{where} answers {answers[0]} whatever it is sent"

    untried = {one["operationId"] for _, _, one in operations()} - set(tried)
    assert sorted(name for name in untried if not is_constant(name, CONSTANT)) == []
