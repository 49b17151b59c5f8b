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
        """The package brings its model along."""
        return has_module("py3langid")

    def models(self) -> list[str]:
        """One model, named after the package."""
        return [MODEL] if self.available() else []

    def run(self, payload: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Classify `texts`; the first answer is repeated at the top for those who sent one text."""
        given = texts(payload, count=4096, limit=100_000, total=2_000_000)
        identifier = _identifier()
        found = []
        for place, text in enumerate(given, start=1):
            language, probability = identifier.classify(text)
            found.append({"language": language, "probability": round(float(probability), 6)})
            progress(place / len(given), f"{place} of {len(given)} texts")
        return {"model": MODEL, **found[0], "count": len(found), "results": found}


@lru_cache(maxsize=1)
def _identifier():
    from py3langid import langid

    # Its own class, not the module's functions: only this one gives probabilities instead of scores.
    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
