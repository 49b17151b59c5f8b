"""Sentence embeddings by WordLlama, whose weights travel inside its package."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from apps.gpu.miner.engines import Progress, has_module
from apps.gpu.miner.engines.payload import choice, texts

MODEL = "wordllama-l2-supercat-256"
BATCH = 256
DIMENSIONS = 256


class Embedding:
    """Turns texts into unit vectors of 256 numbers."""

    name = "embedding"
    aliases = ("embeddings",)

    def available(self) -> bool:
        """Return whether the package is installed: its weights are part of it."""
        return has_module("wordllama")

    def models(self) -> list[str]:
        """Return the one model, named after its weights."""
        return [MODEL] if self.available() else []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Embed `texts` (or `text`, or `input`); the cosine similarity of two is their dot product."""
        choice(payload, "model", MODEL, (MODEL, "wordllama", "default"))
        checked = texts(payload, count=2048, limit=32_768, total=2_000_000)
        model = _model()
        vectors: list[list[float]] = []
        for start in range(0, len(checked), BATCH):
            embedded = model.embed(checked[start : start + BATCH], norm=True)
            vectors.extend([round(float(value), 6) for value in vector] for vector in embedded)
            progress(len(vectors) / len(checked), f"{len(vectors)} of {len(checked)} texts")
        return {"model": MODEL, "dimensions": DIMENSIONS, "count": len(vectors), "embeddings": vectors}


@lru_cache(maxsize=1)
def _model() -> Any:
    import wordllama

    package = Path(wordllama.__file__).parent
    # With the package's own folder as its cache it finds its files; otherwise it tries to download them.
    return wordllama.WordLlama.load(cache_dir=package, disable_download=True)
