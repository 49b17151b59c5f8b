"""An empty credential header is no credential."""

from __future__ import annotations

import pytest

from tests.clients import Api

EMPTY = [
    {"authorization": ""}, {"authorization": "Bearer"}, {"authorization": "Bearer "}, {"authorization": "  "},
    {"x_api_key": ""}, {"x_api_key": "  "}, {"authorization": "", "x_api_key": ""},
]  # fmt: skip


@pytest.mark.parametrize("headers", EMPTY)
def test_it_is_anonymous(headers, anonymous_api: Api):
    answer = anonymous_api.get("/ai/jobs", **headers)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"
    assert anonymous_api.post("/ai/jobs", {}, **headers).json()["code"] == "unauthenticated"
    assert anonymous_api.get("/trading/v1/blocks", **headers).status_code == 200


@pytest.mark.parametrize("empty", ["", "Bearer", "Bearer "])
def test_the_other_header_still_counts(empty, client_api: Api, anonymous_api: Api):
    assert anonymous_api.get("/ai/jobs", authorization=empty, x_api_key=client_api.secret).status_code == 200


WRONG = [{"authorization": "Basic abc"}, {"authorization": "Bearer abc"}, {"x_api_key": "abc"}]


@pytest.mark.parametrize("headers", WRONG)
def test_a_wrong_key_is_a_wrong_key(headers, anonymous_api: Api):
    answer = anonymous_api.get("/ai/jobs", **headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "key_invalid")


def test_empty_keys_are_no_guesses(anonymous_api: Api):
    """Wrong keys are counted per network, and too many are 429."""
    for _ in range(60):
        assert anonymous_api.get("/trading/v1/blocks", authorization="Bearer ").status_code == 200
