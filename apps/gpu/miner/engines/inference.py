"""Text generation: through an OpenAI-compatible or Ollama server, or a llama.cpp inside this process."""

import os
import time
from collections.abc import Callable
from typing import Any

from apps.gpu.miner.engines import BadInput, Progress, Refused
from apps.gpu.miner.engines.llama import LlamaCpp
from apps.gpu.miner.engines.model_server import ModelServer
from apps.gpu.miner.engines.payload import first, integer, number, text

MAX_TOKENS = 4096
PROMPT_LIMIT = 400_000  # characters; the model's own context is the finer bound
ROLES = ("system", "user", "assistant")


class Inference:
    """Answers a prompt or a conversation with one of the models this host serves."""

    name = "inference"
    aliases = ("llm", "chat", "text-generation")

    def available(self) -> bool:
        """A server that answers, or a model file that is there."""
        return bool(self.models())

    def models(self) -> list[str]:
        """Every model of every source, local file first."""
        return [model for source in _sources() for model in source.models()]

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Generate; the result has the members that clients of the old miner read, and the usual counts."""
        request = _request(payload)
        source, request["model"] = _choose(first(payload, "model", "model_name"))
        begun, told = time.perf_counter(), _Teller(progress, request["max_tokens"])
        answer = source.chat(request, told)
        seconds = time.perf_counter() - begun
        tokens = answer.tokens or told.pieces
        return {
            "status": "completed",
            "output": answer.text,
            "model": request["model"],
            "tokens_processed": tokens,
            "prompt_tokens": answer.prompt_tokens,
            "finish_reason": answer.finish_reason,
            "execution_time": round(seconds, 3),
            "tokens_per_second": round(tokens / seconds, 2) if seconds else 0.0,
        }


class _Teller:
    """Counts the pieces of a streamed answer and reports them as progress."""

    def __init__(self, progress: Callable[[float, str], None], expected: int):
        self.progress, self.expected, self.pieces = progress, expected, 0

    def __call__(self) -> None:
        self.pieces += 1
        self.progress(min(self.pieces / self.expected, 0.99), f"{self.pieces} tokens")


def _sources() -> list:
    sources: list = [LlamaCpp()]
    if url := os.environ.get("AITBC_INFERENCE_URL"):
        sources.append(ModelServer(url, os.environ.get("AITBC_INFERENCE_KEY", "")))
    return sources


def _choose(wanted) -> tuple:
    """Return the source that serves the wanted model; another model than the one asked for is never used."""
    offered = [(source, model) for source in _sources() for model in source.models()]
    if not offered:
        raise Refused("no model can be reached on this miner just now")
    if wanted is None:
        return offered[0]
    for source, model in offered:
        if wanted == model or f"{wanted}:latest" == model:
            return source, model
    raise Refused(f"model {str(wanted)[:100]!r} is not served here; there is {', '.join(m for _, m in offered)[:500]}")


def _request(payload: dict[str, Any]) -> dict[str, Any]:
    """Turn any of the usual forms of payload into one checked chat request."""
    options = payload.get("options") or {}
    if not isinstance(options, dict):
        raise BadInput("options must be an object")
    given = {**options, **payload}
    limit_name = next((name for name in ("max_tokens", "n_predict", "num_predict") if name in given), "max_tokens")
    request: dict[str, Any] = {
        "messages": _messages(payload),
        "max_tokens": integer(given, limit_name, 256, 1, MAX_TOKENS),
        "temperature": number(given, "temperature", 0.7, 0.0, 2.0),
        "top_p": number(given, "top_p", 0.95, 0.0, 1.0),
    }
    if given.get("seed") is not None:
        request["seed"] = integer(given, "seed", 0, 0, 2**31 - 1)
    if given.get("stop") is not None:
        request["stop"] = _stop(given["stop"])
    return request


def _messages(payload: dict[str, Any]) -> list[dict[str, Any]]:
    given = payload.get("messages")
    if given is None:
        prompt = text(payload, "prompt", "text", "input", "inputs", limit=PROMPT_LIMIT)
        system = (
            [{"role": "system", "content": text(payload, "system", limit=PROMPT_LIMIT)}]
            if payload.get("system")
            else []
        )
        return [*system, {"role": "user", "content": prompt}]
    if not isinstance(given, list) or not 1 <= len(given) <= 200:
        raise BadInput("messages must be a list of 1 to 200 messages")
    checked = [_message(item) for item in given]
    if sum(len(item["content"]) for item in checked) > PROMPT_LIMIT:
        raise BadInput(f"messages must not exceed {PROMPT_LIMIT} characters together")
    return checked


def _message(item) -> dict[str, Any]:
    if not isinstance(item, dict) or item.get("role") not in ROLES:
        raise BadInput(f"each message needs a role, one of {', '.join(ROLES)}, and a content")
    return {"role": item["role"], "content": text(item, "content", limit=PROMPT_LIMIT)}


def _stop(given) -> list[str]:
    given = [given] if isinstance(given, str) else given
    if (
        not isinstance(given, list)
        or len(given) > 8
        or not all(isinstance(s, str) and 0 < len(s) <= 100 for s in given)
    ):
        raise BadInput("stop must be a text or up to 8 texts of 1 to 100 characters")
    return given
