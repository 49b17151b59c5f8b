"""The engines of a miner: what it can compute.

An engine is a class named by an entry point of the group `aitbc.engines`. It needs no base class:

    name        what clients name as `task_type`; `aliases` (optional) are other words for it
    available() whether this host can run it: cheap, imports nothing heavy, raises nothing
    models()    the model names it offers, possibly none
    run(payload, progress)  the work, in a child process of its own; returns a JSON object

A payload comes from a stranger. An engine checks all of it and raises BadInput with a sentence the
client can act on; whatever else escapes is the engine's own fault.
"""

from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from apps.gpu.logic.encoding import valid_text

GROUP = "aitbc.engines"
MOST_NAMES, NAME_LIMIT = 256, 200  # what the exchange takes of task types and of models; characters of one
# The same lines as in pyproject.toml, so that a checkout that was never installed has its engines too.
BUILT_IN = {
    "benchmark": "apps.gpu.miner.engines.benchmark:Benchmark",
    "embedding": "apps.gpu.miner.engines.embedding:Embedding",
    "language": "apps.gpu.miner.engines.language:Language",
    "file-type": "apps.gpu.miner.engines.filetype:FileType",
    "inference": "apps.gpu.miner.engines.inference:Inference",
    "ocr": "apps.gpu.miner.engines.ocr:Ocr",
    "transcription": "apps.gpu.miner.engines.transcription:Transcription",
}

# What the exchange or the miner itself requests: clients cannot name these.
INTERNAL = {
    "proof": "apps.gpu.miner.engines.proof:Proof",
    "driver": "apps.gpu.miner.engines.driver:Driver",
}


class EngineFailure(Exception):
    """The engine failed; the code tells the exchange whose fault that is."""

    code = "ENGINE_ERROR"


class BadInput(EngineFailure):
    """The payload is wrong: no other miner would do better with it."""

    code = "BAD_INPUT"


class Refused(EngineFailure):
    """This miner does not do it, another may."""

    code = "REFUSED"


class Progress:
    """What an engine has besides the payload: a call to report progress, its input file, its last checkpoint."""

    def __init__(self, send: Callable[[float, str, Any], None], *, input: Path | None = None, state: Any = None):
        self._send = send
        self.input = input
        self.state = state

    def __call__(self, fraction: float, note: str = "", state: Any = None) -> None:
        """Report how far the work is (0 to 1); a `state` is JSON from which the work can go on later."""
        self._send(min(max(fraction, 0.0), 1.0), note, state)


class Engine(Protocol):
    """The shape of an engine; see the module's docstring."""

    name: str

    def available(self) -> bool: ...

    def models(self) -> list[str]: ...

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]: ...


def load(name: str) -> Engine:
    """Return the named engine. Raises KeyError when there is none of that name."""
    internal = INTERNAL.get(name)
    engine: Engine = (EntryPoint(name, internal, GROUP) if internal else declared()[name]).load()()
    return engine


def task_types(engine: Engine) -> list[str]:
    """Return every task type by which clients may name this engine."""
    return names([engine.name, *getattr(engine, "aliases", ())])


def names(values: Iterable[Any]) -> list[str]:
    """Return the names that the exchange takes, of those that an engine or a model server calls its own."""
    listed = [valid_text(value) for value in islice(values, MOST_NAMES) if isinstance(value, str)]
    return [name for name in listed if name.strip() and len(name) <= NAME_LIMIT]


def declared() -> dict[str, EntryPoint]:
    """Return every engine that clients can name, whether or not this host can run it."""
    built_in = {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}
    return built_in | {point.name: point for point in entry_points(group=GROUP)}


def has_module(name: str) -> bool:
    """Return whether a package can be imported, without importing it."""
    from importlib.util import find_spec

    return find_spec(name) is not None


__all__ = [
    "BadInput",
    "Engine",
    "EngineFailure",
    "Progress",
    "Refused",
    "declared",
    "has_module",
    "load",
    "task_types",
]
