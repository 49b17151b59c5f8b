"""Text in pictures, by RapidOCR on the processor (extra `ocr`)."""

import io
from functools import lru_cache
from typing import Any

from apps.gpu.miner.engines import BadInput, Progress, has_module
from apps.gpu.miner.engines.payload import content

MODEL = "rapidocr"
LIMIT = 16 * 2**20
PIXELS = 25_000_000  # a picture is small as a file and huge in memory: the header is checked before decoding


class Ocr:
    """Reads the lines of text in an image."""

    name = "ocr"

    def available(self) -> bool:
        """Return whether the packages are installed: the models are part of one."""
        return has_module("rapidocr") and has_module("onnxruntime")

    def models(self) -> list[str]:
        """Return the one set of models, named after the package."""
        return [MODEL] if self.available() else []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Read `image` (base64) or the job's uploaded input; return the lines with score and box."""
        data = content(payload, progress, "image", "base64", "data", "input", limit=LIMIT)
        _check_picture(data)
        progress(0.1, "reading")
        found = _reader()(data)
        lines = [
            {
                "text": text,
                "score": round(float(score), 6),
                "box": [[round(float(x), 1), round(float(y), 1)] for x, y in box],
            }
            for text, score, box in zip(
                found.txts or (), found.scores or (), [] if found.boxes is None else found.boxes, strict=True
            )
        ]
        return {"model": MODEL, "text": "\n".join(line["text"] for line in lines), "lines": lines}


def _check_picture(data: bytes) -> None:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise BadInput("the input is not a picture this engine can read") from None
    if not 0 < width * height <= PIXELS:
        raise BadInput(f"the picture must not exceed {PIXELS} pixels")


@lru_cache(maxsize=1)
def _reader() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR()
