"""The client of a model server with OpenAI's chat API (vLLM, llama.cpp, Ollama) or Ollama's own."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx

from apps.gpu.logic.encoding import MAX_INTEGER, valid_text
from apps.gpu.miner.engines import BadInput, EngineFailure, names

LIST_SECONDS, LIST_LIMIT = 5.0, 4 * 2**20  # for and of the list of models, in bytes
WORD_LIMIT = 100  # characters of a finish reason
TEXT_LIMIT = 4 * 2**20  # characters of a completion; far above what max_tokens allows
EVENT_FIELDS = ("data:", "event:", "id:", "retry:", ":")  # with which the lines of server-sent events begin
QUOTED = 200  # characters of an answer that a failure quotes


@dataclass
class Completion:
    """The text that a model generated, and its counts; `ended`: the server said that this is all of it."""

    text: str = ""
    finish_reason: str = ""
    tokens: int = 0
    prompt_tokens: int = 0
    ended: bool = False

    def add(self, piece: Any) -> None:
        """Append a piece. Raises EngineFailure above TEXT_LIMIT: a server may never stop."""
        if not isinstance(piece, str):
            raise EngineFailure("the model server sent a piece that is no text")
        self.text += piece
        if len(self.text) > TEXT_LIMIT:
            raise EngineFailure("the model server does not end its answer")

    def count(self, tokens: Any, prompt_tokens: Any) -> None:
        """Take the server's counts, where they are counts."""
        self.tokens = _count(tokens, self.tokens)
        self.prompt_tokens = _count(prompt_tokens, self.prompt_tokens)

    def finish(self, reason: Any) -> None:
        """Take the server's word for how the completion ended."""
        if isinstance(reason, str) and reason:
            self.finish_reason, self.ended = valid_text(reason)[:WORD_LIMIT], True

    def check(self, last: object, *, done: bool = False) -> None:
        """Raise EngineFailure, which quotes the last that came, unless this is a whole completion.

        `done` tells that the stream ended as streams do: then text needs no finish reason.
        """
        if self.ended or (done and self.text):
            return
        fault = "is cut off" if self.text else "has no text"
        raise EngineFailure(f"the model server's answer {fault}: {_quoted(last)}")


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
                if (listed := self._list(path)) is not None:
                    return names(item.get(name) for item in listed[member] if isinstance(item, dict))
            except (httpx.HTTPError, ValueError, KeyError, TypeError, RecursionError):
                continue
        return []

    def _list(self, path: str) -> Any:
        """Return the JSON at a path; None where there is none. Raises ValueError for one without an end."""
        deadline, body = time.monotonic() + LIST_SECONDS, bytearray()
        with self.http.stream("GET", self.url + path, timeout=3) as response:
            if not response.is_success:
                return None
            for part in response.iter_bytes():
                body += part
                if len(body) > LIST_LIMIT or time.monotonic() > deadline:
                    raise ValueError("the list of models does not end")
        return json.loads(body)

    def chat(self, request: dict[str, Any], on_token: Callable[[], None]) -> Completion:
        """Send a chat request and collect the streamed completion, by Ollama's own API where OpenAI's is unknown."""
        try:
            body = {**request, "stream": True, "stream_options": {"include_usage": True}}
            with self.http.stream("POST", f"{self.url}/v1/chat/completions", json=body) as response:
                if response.status_code not in (404, 405):
                    return _openai(_checked(response).iter_lines(), on_token)
            with self.http.stream("POST", f"{self.url}/api/chat", json=_as_ollama(request)) as response:
                return _ollama(_checked(response).iter_lines(), on_token)
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise EngineFailure(f"the model server failed: {type(error).__name__}: {error}"[:500]) from error


def openai_chunk(chunk: dict[str, Any], completion: Completion) -> bool:
    """Add one chunk of OpenAI's stream, or a whole completion; True when it brought text."""
    _raise_error(chunk)
    usage = _object(chunk.get("usage"))
    completion.count(usage.get("completion_tokens"), usage.get("prompt_tokens"))
    choices = chunk.get("choices")
    for choice in map(_object, choices if isinstance(choices, list) else ()):
        completion.finish(choice.get("finish_reason"))
        if piece := _object(choice.get("delta") or choice.get("message")).get("content"):
            completion.add(piece)
            return True
    return False


def _openai(lines: Iterator[str], on_token: Callable[[], None]) -> Completion:
    """Collect a stream of server-sent events, or a whole completion from a server that does not stream."""
    first = next(filter(str.strip, lines), "")
    if not first.startswith(EVENT_FIELDS):
        return _whole(_joined(first, lines), on_token)
    completion, last, done = Completion(), "", False
    for line in chain([first], lines):
        if not line.startswith("data:"):
            continue
        if (data := line[5:].strip()) == "[DONE]":
            done = True
            continue
        last = data
        if openai_chunk(_parsed(data), completion):
            on_token()
    completion.check(last, done=done)
    return completion


def _whole(body: str, on_token: Callable[[], None]) -> Completion:
    """Read a completion that came as one object, the answer to a request without `stream`."""
    completion, answer = Completion(), _json(body)
    choices = answer.get("choices") if isinstance(answer, dict) else None
    first = _object(choices[0]) if isinstance(choices, list) and choices else {}
    if isinstance(answer, dict):
        _raise_error(answer)
    if not isinstance(_object(first.get("message")).get("content"), str):
        completion.check(body)
    elif openai_chunk(answer, completion):
        on_token()
    return completion


def _joined(first: str, lines: Iterator[str]) -> str:
    """Return a body that is no stream. Raises EngineFailure above TEXT_LIMIT."""
    parts, size = [first], len(first)
    for line in lines:
        parts.append(line)
        size += len(line) + 1
        if size > TEXT_LIMIT:
            raise EngineFailure("the model server does not end its answer")
    return "\n".join(parts)


def _ollama(lines: Iterator[str], on_token: Callable[[], None]) -> Completion:
    """Collect a stream of Ollama's own API: an object a line."""
    completion, last = Completion(), ""
    for last in filter(str.strip, lines):
        chunk = _parsed(last)
        _raise_error(chunk)
        completion.count(chunk.get("eval_count"), chunk.get("prompt_eval_count"))
        message = chunk.get("message")
        if piece := _object(message).get("content"):
            completion.add(piece)
            on_token()
        if chunk.get("done") is True and (completion.text or isinstance(message, dict)):
            completion.finish(chunk.get("done_reason"))
            completion.ended = True
    completion.check(last)
    return completion


def _parsed(text: str) -> dict[str, Any]:
    """Return the object in a chunk. Raises EngineFailure."""
    value = _json(text)
    if not isinstance(value, dict):
        raise EngineFailure(f"the model server sent something that is no chunk of an answer: {_quoted(text)}")
    return value


def _json(text: str) -> Any:
    """Return the JSON in a text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _quoted(answer: object) -> str:
    text = str(answer).strip()
    return text[:QUOTED] if text else "it is empty"


def _raise_error(chunk: dict[str, Any]) -> None:
    if chunk.get("error"):
        raise EngineFailure(f"the model server failed: {chunk['error']}"[:500])


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any, known: int) -> int:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value <= MAX_INTEGER else known


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    text = next(response.iter_text(500), "")[:500]
    kind = BadInput if response.status_code in (400, 413, 422) else EngineFailure
    raise kind(f"the model server answered {response.status_code}: {text}")


def _as_ollama(request: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        name: request[name] for name in ("temperature", "top_p", "seed", "stop") if name in request
    }
    options["num_predict"] = request["max_tokens"]
    return {"model": request["model"], "messages": request["messages"], "stream": True, "options": options}
