"""Limits: per owner, per address, for everybody; with Valkey and without."""

from __future__ import annotations

import pytest

from aitbc.core import throttling

pytestmark = pytest.mark.urls("tests.core.routes")
LIMITS = {"actor": 5, "miner": 50, "operator": 50, "anonymous": 3, "bad_keys": 4, "global": 1000}


@pytest.fixture(autouse=True)
def small_limits(settings, monkeypatch):
    settings.AITBC_LIMITS = LIMITS
    # One long window, so that no test straddles two.
    monkeypatch.setattr(throttling, "WINDOW", 10**9)
    throttling._redis().flushdb()
    throttling.forget()
    yield
    throttling.forget()


@pytest.fixture(params=["with valkey", "without valkey"])
def counted(request, settings, monkeypatch):
    if request.param == "without valkey":
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(throttling, "_client", None)
        monkeypatch.setattr(throttling, "_alone_until", 0.0)


def test_one_owner_over_the_limit_is_429_and_the_next_is_not(counted, client_api, other_client_api):
    answers = [client_api.get("/entries") for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer["RateLimit-Remaining"] for answer in answers[:5]] == ["4", "3", "2", "1", "0"]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert answers[-1].json()["code"] == "rate_limited"
    assert other_client_api.get("/entries").status_code == 200


def test_all_callers_together_have_a_limit(counted, settings, client_api, other_client_api):
    settings.AITBC_LIMITS = {**LIMITS, "global": 3}

    answers = [api.get("/entries").status_code for api in (client_api, other_client_api) for _ in range(2)]

    assert answers == [200, 200, 200, 429]


def test_two_processes_share_one_allowance(client_api):
    for _ in range(3):
        assert client_api.get("/entries").status_code == 200
    throttling.forget()  # as another process sees it

    assert [client_api.get("/entries").status_code for _ in range(4)] == [200, 200, 429, 429]


def test_guessing_keys_is_slowed_down(anonymous_api):
    wrong = {"authorization": "Bearer aitbc_0123456789ab_" + "x" * 43}

    assert [anonymous_api.get("/entries", **wrong).status_code for _ in range(6)] == [401] * 4 + [429] * 2
