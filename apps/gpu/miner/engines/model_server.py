"""The client of a model server with OpenAI's chat API (vLLM, llama.cpp, Ollama) or Ollama's own."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from apps.gpu.miner.engines import BadInput, EngineFailure

TEXT_LIMIT = 4 * 2**20  # characters of a completion; far above what max_tokens allows


@dataclass
class Completion:
    """The text that a model generated, and its counts."""

    text: str = ""
    finish_reason: str = ""
    tokens: int = 0
    prompt_tokens: int = 0

    def add(self, piece: str) -> None:
        """Append a piece. Raises EngineFailure above TEXT_LIMIT: a server may never stop."""
        self.text += piece
        if len(self.text) > TEXT_LIMIT:
            raise EngineFailure("the model server does not end its answer")


class ModelServer:
    """One server, named by its base URL with or without the trailing /v1."""

    def __init__(self, url: str, key: str = ""):
        self.url = url.rstrip("/").removesuffix("/v1")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Silence of two minutes between tokens is a hung server; the job's own time limit is the outer bound.
        self.http = httpx.Client(headers=headers, timeout=httpx.Timeout(120, connect=3), trust_env=False)

    def models(self) -> list[str]:
        """Return the models it serves now; none when it does not respond."""
        for path, member, name in (("/v1/models", "data", "id"), ("/api/tags", "models", "name")):
            try:
                response = self.http.get(self.url + path, timeout=3)
                if response.is_success:
                    return [item[name] for item in response.json()[member]]
            except (httpx.HTTPError, ValueError, KeyError, TypeError):
                continue
        return []

    def chat(self, request: dict[str, Any], on_token: Callable[[], None]) -> Completion:
        """Send a chat request and collect the streamed completion, by Ollama's own API where OpenAI's is unknown."""
        try:
            body = {**request, "stream": True, "stream_options": {"include_usage": True}}
            with self.http.stream("POST", f"{self.url}/v1/chat/completions", json=body) as response:
                if response.status_code not in (404, 405):
                    return _collect(_sse(_checked(response)), openai_chunk, on_token)
            with self.http.stream("POST", f"{self.url}/api/chat", json=_as_ollama(request)) as response:
                return _collect(map(json.loads, _checked(response).iter_lines()), _ollama_chunk, on_token)
        except (httpx.HTTPError, ValueError) as error:
            raise EngineFailure(f"the model server failed: {type(error).__name__}: {error}"[:500]) from error


def openai_chunk(chunk: dict[str, Any], completion: Completion) -> bool:
    """Add one chunk of OpenAI's stream; True when it brought text."""
    if chunk.get("error"):
        raise EngineFailure(f"the model server failed: {chunk['error']}"[:500])
    usage = chunk.get("usage") or {}
    completion.tokens = usage.get("completion_tokens", completion.tokens)
    completion.prompt_tokens = usage.get("prompt_tokens", completion.prompt_tokens)
    for choice in chunk.get("choices") or ():
        completion.finish_reason = choice.get("finish_reason") or completion.finish_reason
        if piece := (choice.get("delta") or {}).get("content"):
            completion.add(piece)
            return True
    return False


def _ollama_chunk(chunk: dict[str, Any], completion: Completion) -> bool:
    if chunk.get("error"):
        raise EngineFailure(f"the model server failed: {chunk['error']}"[:500])
    completion.tokens = chunk.get("eval_count", completion.tokens)
    completion.prompt_tokens = chunk.get("prompt_eval_count", completion.prompt_tokens)
    completion.finish_reason = chunk.get("done_reason", completion.finish_reason)
    piece = (chunk.get("message") or {}).get("content") or ""
    completion.add(piece)
    return bool(piece)


def _collect(
    chunks: Iterator[dict[str, Any]], read: Callable[[dict[str, Any], Completion], bool], on_token: Callable[[], None]
) -> Completion:
    completion = Completion()
    for chunk in chunks:
        if not isinstance(chunk, dict):
            raise EngineFailure("the model server sent something that is no chunk of an answer")
        if read(chunk, completion):
            on_token()
    return completion


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    text = next(response.iter_text(500), "")[:500]
    kind = BadInput if response.status_code in (400, 413, 422) else EngineFailure
    raise kind(f"the model server answered {response.status_code}: {text}")


def _sse(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data:") and (data := line[5:].strip()) != "[DONE]":
            yield json.loads(data)


def _as_ollama(request: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        name: request[name] for name in ("temperature", "top_p", "seed", "stop") if name in request
    }
    options["num_predict"] = request["max_tokens"]
    return {"model": request["model"], "messages": request["messages"], "stream": True, "options": options}
