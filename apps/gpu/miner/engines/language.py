"""Which language a text is written in, by py3langid."""

from functools import lru_cache
from typing import Any

from apps.gpu.miner.engines import Progress, has_module
from apps.gpu.miner.engines.payload import texts

MODEL = "py3langid"


class Language:
    """Names the language (ISO 639-1) of each text, with a probability."""

    name = "language"
    aliases = ("language-detection",)

    def available(self) -> bool:
        """Return whether the package is installed: its model is part of it."""
        return has_module("py3langid")

    def models(self) -> list[str]:
        """Return the one model, named after the package."""
        return [MODEL] if self.available() else []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Classify `texts`; the first result is repeated at the top for clients that sent one text."""
        checked = texts(payload, count=4096, limit=100_000, total=2_000_000)
        identifier = _identifier()
        found = []
        for number, text in enumerate(checked, start=1):
            language, probability = identifier.classify(text)
            found.append({"language": language, "probability": round(float(probability), 6)})
            progress(number / len(checked), f"{number} of {len(checked)} texts")
        return {"model": MODEL, **found[0], "count": len(found), "results": found}


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from py3langid import langid

    # Its own class, not the module's functions: only this one gives probabilities instead of scores.
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
