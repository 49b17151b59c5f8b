"""Text generation: through an OpenAI-compatible or Ollama server, or a llama.cpp inside this process."""

import os
import time
from collections.abc import Callable
from typing import Any, Protocol

from apps.gpu.miner.engines import BadInput, Progress, Refused
from apps.gpu.miner.engines.llama import LlamaCpp
from apps.gpu.miner.engines.model_server import Completion, ModelServer
from apps.gpu.miner.engines.payload import first, integer, number, text

MAX_TOKENS = 4096
PROMPT_LIMIT = 400_000  # characters; the model's own context is the finer bound
ROLES = ("system", "user", "assistant")


class _Source(Protocol):
    def models(self) -> list[str]: ...

    def chat(self, request: dict[str, Any], on_token: Callable[[], None]) -> Completion: ...


class Inference:
    """Completes a prompt or a conversation with one of the models this host serves."""

    name = "inference"
    aliases = ("llm", "chat", "text-generation")

    def available(self) -> bool:
        """Return whether there is a model server that responds, or a model file."""
        return bool(self.models())

    def models(self) -> list[str]:
        """Return every model of every source, the local file's first."""
        return [model for source in _sources() for model in source.models()]

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Generate; the result has the members that legacy clients read, and the usual counts."""
        request = _request(payload)
        source, request["model"] = _choose(first(payload, "model", "model_name"))
        started, on_token = time.perf_counter(), _TokenProgress(progress, request["max_tokens"])
        completion = source.chat(request, on_token)
        seconds = time.perf_counter() - started
        tokens = completion.tokens or on_token.pieces
        return {
            "status": "completed",
            "output": completion.text,
            "model": request["model"],
            "tokens_processed": tokens,
            "prompt_tokens": completion.prompt_tokens,
            "finish_reason": completion.finish_reason,
            "execution_time": round(seconds, 3),
            "tokens_per_second": round(tokens / seconds, 2) if seconds else 0.0,
        }


class _TokenProgress:
    """Counts the pieces of a streamed completion and reports them as progress."""

    def __init__(self, progress: Callable[[float, str], None], expected: int):
        self.progress, self.expected, self.pieces = progress, expected, 0

    def __call__(self) -> None:
        self.pieces += 1
        self.progress(min(self.pieces / self.expected, 0.99), f"{self.pieces} tokens")


def _sources() -> list[_Source]:
    sources: list[_Source] = [LlamaCpp()]
    if url := os.environ.get("AITBC_INFERENCE_URL"):
        sources.append(ModelServer(url, os.environ.get("AITBC_INFERENCE_KEY", "")))
    return sources


def _choose(requested: Any) -> tuple[_Source, str]:
    """Return source and name of the requested model, or of the first when none is requested.

    Raises Refused when it is not served: no other model takes its place.
    """
    offered = [(source, model) for source in _sources() for model in source.models()]
    if not offered:
        raise Refused("no model can be reached on this miner just now")
    if requested is None:
        return offered[0]
    for source, model in offered:
        if requested == model or f"{requested}:latest" == model:
            return source, model
    raise Refused(
        f"model {str(requested)[:100]!r} is not served here; there is {', '.join(m for _, m in offered)[:500]}"
    )


def _request(payload: dict[str, Any]) -> dict[str, Any]:
    """Return one checked chat request for any of the usual forms of payload."""
    options = payload.get("options") or {}
    if not isinstance(options, dict):
        raise BadInput("options must be an object")
    members = {**options, **payload}
    limit_name = next((name for name in ("max_tokens", "n_predict", "num_predict") if name in members), "max_tokens")
    request: dict[str, Any] = {
        "messages": _messages(payload),
        "max_tokens": integer(members, limit_name, 256, 1, MAX_TOKENS),
        "temperature": number(members, "temperature", 0.7, 0.0, 2.0),
        "top_p": number(members, "top_p", 0.95, 0.0, 1.0),
    }
    if members.get("seed") is not None:
        request["seed"] = integer(members, "seed", 0, 0, 2**31 - 1)
    if members.get("stop") is not None:
        request["stop"] = _stop(members["stop"])
    return request


def _messages(payload: dict[str, Any]) -> list[dict[str, Any]]:
    messages = payload.get("messages")
    if messages is None:
        prompt = text(payload, "prompt", "text", "input", "inputs", limit=PROMPT_LIMIT)
        system = (
            [{"role": "system", "content": text(payload, "system", limit=PROMPT_LIMIT)}]
            if payload.get("system")
            else []
        )
        return [*system, {"role": "user", "content": prompt}]
    if not isinstance(messages, list) or not 1 <= len(messages) <= 200:
        raise BadInput("messages must be a list of 1 to 200 messages")
    checked = [_message(item) for item in messages]
    if sum(len(item["content"]) for item in checked) > PROMPT_LIMIT:
        raise BadInput(f"messages must not exceed {PROMPT_LIMIT} characters together")
    return checked


def _message(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict) or item.get("role") not in ROLES:
        raise BadInput(f"each message needs a role, one of {', '.join(ROLES)}, and a content")
    return {"role": item["role"], "content": text(item, "content", limit=PROMPT_LIMIT)}


def _stop(value: Any) -> list[str]:
    words = [value] if isinstance(value, str) else value
    if (
        not isinstance(words, list)
        or len(words) > 8
        or not all(isinstance(word, str) and 0 < len(word) <= 100 for word in words)
    ):
        raise BadInput("stop must be a text or up to 8 texts of 1 to 100 characters")
    return words
