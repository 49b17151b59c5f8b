"""The type of a file from its bytes, by Magika's small neural network."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from apps.gpu.miner.engines import Progress, has_module
from apps.gpu.miner.engines.payload import content, text

if TYPE_CHECKING:
    from magika import Magika

MODEL = "magika-standard"
LIMIT = 16 * 2**20


class FileType:
    """Names the type of a file from its content alone."""

    name = "file-type"
    aliases = ("classification", "filetype")

    def available(self) -> bool:
        """Return whether the package is installed: its model is part of it."""
        return has_module("magika")

    def models(self) -> list[str]:
        """Return the one model, named after the package."""
        return [MODEL] if self.available() else []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Classify `text`, `base64`, or the job's uploaded input."""
        if progress.input is None and payload.get("text") is not None:
            data = text(payload, "text", limit=LIMIT).encode()
        else:
            data = content(payload, progress, "base64", "data", "input", limit=LIMIT)
        found = _magika().identify_bytes(data)
        progress(1.0, "classified")
        return {
            "model": MODEL,
            "label": str(found.output.label),
            "mime_type": found.output.mime_type,
            "group": found.output.group,
            "description": found.output.description,
            "is_text": found.output.is_text,
            "score": round(float(found.score), 6),
            "size": len(data),
        }


@lru_cache(maxsize=1)
def _magika() -> "Magika":
    from magika import Magika

    return Magika()
