"""Odd answers of model servers: what a job's client gets of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.gpu.services import backends
from tests.clients import Api
from tests.gpu.model_servers import CHAT, MODELS, Answer, ModelServer, running


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with running() as server:
        server.answers |= {MODELS: b'{"data": [{"id": "phi"}]}', "/api/tags": b'{"models": [{"name": "phi"}]}'}
        yield server


@pytest.fixture
def answered(
    client_api: Api, operator_api: Api, drain: Callable[[], int], model_server: ModelServer
) -> Callable[..., list[Any]]:
    """Submit a job per prompt to a new back-end that answers so; returns the jobs with their `result`, if any."""

    def run(answer: Answer, *prompts: str, kind: str = "openai") -> list[Any]:
        model_server.answers |= dict.fromkeys((CHAT, "/api/generate"), answer)
        added = operator_api.json("POST", "/gpu/v1/backends", {"url": model_server.url, "kind": kind}, status=201)
        body = {"task_type": "inference", "max_attempts": 1, "constraints": {"models": ["phi"]}}
        sent = [
            client_api.json("POST", "/ai/jobs", {**body, "payload": {"prompt": prompt}}, status=201)
            for prompt in prompts or ("hello",)
        ]
        drain()
        assert backends.feed(backend_id=added["id"]) == len(sent)
        drain()
        jobs = [client_api.json("GET", f"/ai/jobs/{job['id']}", status=200) for job in sent]
        return [
            job | {"result": client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=200)["result"]}
            for job in jobs
        ]

    return run


def chat(text: str, more: str = "") -> bytes:
    """An answer of OpenAI's API; both arguments are JSON as they stand."""
    return f'{{"choices": [{{"message": {{"content": {text}}}}}]{more}}}'.encode()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (chat(r'"a\ud83d b"'), "a\ufffd b"),
        (chat(r'"a\ud83d\ude00b"'), "a\U0001f600b"),
        (chat(r'"a\u0000b"'), "a\ufffdb"),
        (chat('"a~b"').replace(b"~", b"\xff"), "a\ufffdb"),
        (chat('"ok"', r', "choice": {"finish_reason": "\ud800"}, "\udc00": "\ud800", "error": "\ud800"'), "ok"),
        (chat('"ok"', ', "timings": {"a": NaN, "b": -Infinity, "c": 1e999, "d": %s}' % ("9" * 5000)), "ok"),
        (rb'{"choices": [{"finish_reason": "\ud800", "message": {"content": "ok", "role": [NaN]}}, 5]}', "ok"),
    ],
    ids=["half a pair", "a pair", "NUL", "no UTF-8", "in other members", "odd numbers", "beside the text"],
)
def test_text_is_made_valid_and_other_members_are_not_judged(
    answered: Callable[..., list[Any]], answer: bytes, text: str
) -> None:
    [job] = answered(answer)

    assert job["result"] == {"status": "completed", "model": "phi", "output": text}


@pytest.mark.parametrize(
    ("count", "taken"),
    [
        ("7", {"tokens_processed": 7}),
        ("0", {"tokens_processed": 0}),
        (str(2**53 - 1), {"tokens_processed": 2**53 - 1}),
        *((odd, {}) for odd in (str(2**53), "9" * 30, "-1", "7.5", "NaN", "true", "null", '"seven"', "[7]", "{}")),
    ],
)
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_count_that_is_none_is_left_out_and_the_answer_kept(
    answered: Callable[..., list[Any]], kind: str, count: str, taken: dict[str, int]
) -> None:
    ollama = f'{{"response": "ok", "eval_count": {count}}}'.encode()
    openai = chat('"ok"', f', "usage": {{"completion_tokens": {count}}}')

    [job] = answered(openai if kind == "openai" else ollama, kind=kind)

    assert job["result"] == {"status": "completed", "model": "phi", "output": "ok", **taken}


@pytest.mark.parametrize("usage", ["5", "[]", '"many"', "null"])
def test_a_usage_of_another_form_is_left_out(answered: Callable[..., list[Any]], usage: str) -> None:
    [job] = answered(chat('"ok"', f', "usage": {usage}'))

    assert job["result"] == {"status": "completed", "model": "phi", "output": "ok"}


NO_TEXT = "has no text"


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        (rb'{"error": {"message": "out \ud800", "type": NaN}}', "inference_failed", "has no text: out \ufffd."),
        (rb'{"error": "no \u0000 model"}', "inference_failed", "has no text: no \ufffd model."),
        (rb'{"error": ["\ud800"]}', "inference_failed", NO_TEXT),
        (chat(r'["\ud800"]'), "inference_failed", NO_TEXT),
        (chat(r'[{"type": "text", "text": "\ud800"}]'), "inference_failed", NO_TEXT),
        (b'{"choices": [{"message": ["x"]}]}', "inference_failed", NO_TEXT),
        (b'{"choices": ["x"]}', "inference_failed", NO_TEXT),
        (b"[]", "inference_failed", NO_TEXT),
        (b'data: {"choices": []}\n\ndata: [DONE]\n\n', "engine_error", "not JSON"),
        (b'{"response": "a"}\n{"response": "b"}\n', "engine_error", "not JSON"),
        (b'{"choices": %s' % (b"[" * 200_000), "engine_error", "nested too deeply"),
        (b" " * (4 * 2**20 + 1), "engine_error", "larger than"),
    ],
)
def test_an_answer_without_a_text_is_a_failure_that_says_why(
    answered: Callable[..., list[Any]], answer: bytes, code: str, message: str
) -> None:
    [job] = answered(answer)

    assert job["state"] == "dead"
    assert job["error"].startswith(f"attempt 1: {code}: ") and message in job["error"]


def test_an_answer_of_no_use_stops_no_other(answered: Callable[..., list[Any]]) -> None:
    def answer(requested: Any) -> bytes:
        prompt = requested["messages"][0]["content"]
        return b"no JSON" if prompt == "bad" else chat(json.dumps(prompt))

    jobs = answered(answer, "a", "bad", "b")

    assert [job["state"] for job in jobs] == ["settled", "dead", "settled"]
    assert [job["result"] and job["result"]["output"] for job in jobs] == ["a", None, "b"]


def test_the_longest_answer_of_odd_bytes_still_fits_a_result(answered: Callable[..., list[Any]]) -> None:
    length = 4 * 2**20 - len(chat('""'))

    [job] = answered(chat('"~"').replace(b"~", b"\xff" * length))

    assert job["result"]["output"] == "\ufffd" * length
