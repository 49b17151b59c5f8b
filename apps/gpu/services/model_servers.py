"""What is sent to a back-end's model server, and what its answers mean.

A model server is a stranger's program: only the members that are used are judged, each for itself, and text is made
valid here. Nothing here touches the database: it runs in threads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from aitbc.core import blobs, outbound_http
from apps.gpu.logic.capabilities import LONGEST, MOST
from apps.gpu.logic.encoding import MAX_INTEGER, valid_text
from apps.gpu.models import Backend

CALL_SECONDS = 150.0
ANSWER_BYTES = 4 * 1024 * 1024
DEFAULT_TOKENS = 512
REPLACED = "\ufffd"  # stands where there was no character
ERROR_LENGTH = 500  # characters of the server's own words


@dataclass(frozen=True)
class Outcome:
    """What the model server made of a job: a result, or a typed failure."""

    result: dict[str, Any] | None = None
    code: str = ""
    message: str = ""


def models(backend: Backend) -> list[str]:
    """Return the names of the models that the server has now, sorted, as many as a miner may offer.

    A name that no request could repeat is left out: no text, empty, too long, or with what is no character.
    Raises Refused and Failed of outbound_http, Failed too for an answer without a list.
    """
    path, outer, inner = (
        ("/api/tags", "models", "name") if backend.kind == Backend.Kind.OLLAMA else ("/v1/models", "data", "id")
    )
    listed = _object(outbound_http.call(_target(backend), "GET", path, limit=ANSWER_BYTES)).get(outer)
    if not isinstance(listed, list):
        raise outbound_http.Failed("its answer names no models")
    names = {_name(_object(one).get(inner)) for one in listed} - {""}
    return sorted(names)[:MOST]


def run(backend: Backend, body: Mapping[str, Any]) -> Outcome:
    """Run one job's body (payload, or the digest of a stored one) on the model server; returns result or failure.

    Whatever it raises counts as an ENGINE_ERROR.
    """
    payload = body.get("payload")
    if payload is None and body.get("input_sha256"):
        payload = orjson.loads(blobs.read(body["input_sha256"]))
    if not isinstance(payload, dict) or not (payload.get("prompt") or payload.get("messages")):
        return Outcome(code="BAD_INPUT", message="The payload needs a prompt or messages.")
    known = backend.miner.offer.get("models") or [""]
    model = str(payload.get("model") or known[0])
    generate = _ollama if backend.kind == Backend.Kind.OLLAMA else _openai
    try:
        answer, text, tokens = generate(backend, model, payload)
    except (outbound_http.Refused, outbound_http.Failed) as failure:
        return Outcome(code="ENGINE_ERROR", message=str(failure))
    if not isinstance(text, str):
        return Outcome(code="INFERENCE_FAILED", message=f"The model server's answer has no text{_error(answer)}.")
    counted = {"tokens_processed": tokens} if _is_count(tokens) else {}
    return Outcome(result={"status": "completed", "model": model, "output": valid_text(text), **counted})


def _ollama(backend: Backend, model: str, payload: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any]:
    """Return the answer, and in it what should be the text and the number of tokens; unjudged."""
    options = {"num_predict": _max_tokens(payload)}
    answer = _post(
        backend, "/api/generate", {"model": model, "prompt": _prompt(payload), "stream": False, "options": options}
    )
    return answer, answer.get("response"), answer.get("eval_count")


def _openai(backend: Backend, model: str, payload: Mapping[str, Any]) -> tuple[dict[str, Any], Any, Any]:
    """Return the same as `_ollama`."""
    messages = payload.get("messages") or [{"role": "user", "content": str(payload["prompt"])}]
    request = {"model": model, "messages": messages, "max_tokens": _max_tokens(payload), "stream": False}
    answer = _post(backend, "/v1/chat/completions", request)
    choices = answer.get("choices")
    first = _object(choices[0]) if isinstance(choices, list) and choices else {}
    return answer, _object(first.get("message")).get("content"), _object(answer.get("usage")).get("completion_tokens")


def _post(backend: Backend, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
    target = _target(backend)
    return _object(outbound_http.call(target, "POST", path, body=request, seconds=CALL_SECONDS, limit=ANSWER_BYTES))


def _target(backend: Backend) -> outbound_http.Target:
    return outbound_http.resolve(backend.url, allowed=backend.allow_listed)


def _max_tokens(payload: Mapping[str, Any]) -> Any:
    return payload["max_tokens"] if isinstance(payload.get("max_tokens"), int) else DEFAULT_TOKENS


def _prompt(payload: Mapping[str, Any]) -> str:
    if payload.get("prompt"):
        return str(payload["prompt"])
    turns = [turn for turn in payload["messages"] if isinstance(turn, dict)]
    return "\n".join(f"{turn.get('role', 'user')}: {turn.get('content', '')}" for turn in turns)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _name(value: Any) -> str:
    """The value as a model's name; empty where it is none."""
    is_name = isinstance(value, str) and value.strip() and len(value) <= LONGEST and REPLACED not in valid_text(value)
    return value if is_name else ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER


def _error(answer: Mapping[str, Any]) -> str:
    """What the server itself says is wrong: OpenAI's API has an object there, Ollama's a text."""
    error = answer.get("error")
    words = _object(error).get("message", error)
    return f": {valid_text(words)[:ERROR_LENGTH]}" if isinstance(words, str) else ""
