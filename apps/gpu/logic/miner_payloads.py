"""How the different generations of miner programs say the same things: read here, once, into our own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Reasons a miner may give for a failure; anything else is UNKNOWN.
CODES = (
    "BAD_INPUT",
    "OUT_OF_MEMORY",
    "ENGINE_ERROR",
    "INFERENCE_FAILED",
    "REFUSED",
    "CANCELLED",
    "DRAINING",
    "UNKNOWN",
)
MOST_CARDS = 64
KNOWN_METRICS = 64
Failure = tuple[str, str]  # code, message


def failure_in_result(result: Any, *, success: bool | None, error: Any) -> Failure | None:
    """A failure that was sent to the door for results, as an old daemon does; None when it is a result."""
    told = result if isinstance(result, Mapping) else {}
    if told.get("status") != "failed" and success is not False:
        return None
    reason = told.get("error") or told.get("error_message") or error or "The miner reported a failure."
    return failure(code=told.get("code") or told.get("error_code"), message=told.get("message"), error=reason)


def failure(*, code: Any, message: Any, error: Any) -> Failure:
    """A typed failure from error_code/error_message, code/message, or an `error` that is a text or holds both."""
    told = error if isinstance(error, Mapping) else {}
    code = code or told.get("code") or ""
    message = message or told.get("message") or (error if isinstance(error, str) else "")
    wanted = str(code).strip().upper().replace("-", "_").replace(" ", "_")
    typed = wanted if wanted in CODES else "UNKNOWN" if wanted else "INFERENCE_FAILED"
    untold = f"{code}: {message}" if typed == "UNKNOWN" and wanted != "UNKNOWN" else str(message)
    return typed, untold[:1000].replace("\x00", "")


def metrics_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a heartbeat tells about the machine: flat values, few of them; `metrics` and `metadata` are lifted up."""
    found: dict[str, Any] = {}
    for part in (body, body.get("metrics"), body.get("metadata")):
        if isinstance(part, Mapping):
            flat = {
                name[:60]: _short(value) for name, value in part.items() if isinstance(value, (str, int, float, bool))
            }
            found.update(flat)
            found.update(_cards(part.get("gpus")))
    found.pop("miner_id", None)
    return dict(list(found.items())[:KNOWN_METRICS])


def _cards(cards: Any) -> dict[str, list[dict[str, Any]]]:
    """Figures per graphics card, when they are given as a list of flat objects."""
    if not isinstance(cards, list):
        return {}
    flat = [_flat(card) for card in cards[:MOST_CARDS] if isinstance(card, Mapping)]
    return {"gpus": flat} if flat else {}


def _flat(card: Mapping[str, Any]) -> dict[str, Any]:
    few = list(card.items())[:KNOWN_METRICS]
    return {name[:60]: _short(value) for name, value in few if not isinstance(value, (dict, list))}


def model_of(payload: Any, constraints: Any) -> str | None:
    """The model a job asks for, wherever the client wrote it."""
    if isinstance(payload, Mapping) and isinstance(payload.get("model"), str):
        return str(payload["model"])
    models = constraints.get("models") if isinstance(constraints, Mapping) else None
    return str(models[0]) if isinstance(models, list) and models else None


def _short(value: Any) -> Any:
    return value[:200] if isinstance(value, str) else value
