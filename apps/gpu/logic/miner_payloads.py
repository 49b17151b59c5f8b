"""Failures and metrics as all generations of miner programs send them, read into one form. Pure: no Django."""

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
MOST_GPUS = 64
KNOWN_METRICS = 64
Failure = tuple[str, str]  # code, message


def failure_in_result(result: Any, *, success: bool | None, error: Any) -> Failure | None:
    """Return a failure that was sent to the result endpoint, as legacy daemons do; None when it is a result."""
    fields = result if isinstance(result, Mapping) else {}
    if fields.get("status") != "failed" and success is not False:
        return None
    reason = fields.get("error") or fields.get("error_message") or error or "The miner reported a failure."
    return failure(code=fields.get("code") or fields.get("error_code"), message=fields.get("message"), error=reason)


def failure(*, code: Any, message: Any, error: Any) -> Failure:
    """Return (code, message) from error_code/error_message, code/message, or an `error` that is a text or holds both.

    The code is one of CODES: UNKNOWN for any other (then the message repeats it), INFERENCE_FAILED for none. The
    message has at most 1000 characters.
    """
    fields = error if isinstance(error, Mapping) else {}
    code = code or fields.get("code") or ""
    message = message or fields.get("message") or (error if isinstance(error, str) else "")
    normalised = str(code).strip().upper().replace("-", "_").replace(" ", "_")
    typed = normalised if normalised in CODES else "UNKNOWN" if normalised else "INFERENCE_FAILED"
    text = f"{code}: {message}" if typed == "UNKNOWN" and normalised != "UNKNOWN" else str(message)
    return typed, text[:1000].replace("\x00", "")


def metrics_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics in a heartbeat: at most 64 flat values; `metrics` and `metadata` are merged in."""
    found: dict[str, Any] = {}
    for part in (body, body.get("metrics"), body.get("metadata")):
        if isinstance(part, Mapping):
            flat = {
                name[:60]: _short(value) for name, value in part.items() if isinstance(value, (str, int, float, bool))
            }
            found.update(flat)
            found.update(_gpus(part.get("gpus")))
    found.pop("miner_id", None)
    return dict(list(found.items())[:KNOWN_METRICS])


def _gpus(entries: Any) -> dict[str, list[dict[str, Any]]]:
    """Metrics per GPU, when they are sent as a list of flat objects."""
    if not isinstance(entries, list):
        return {}
    flat = [_flat(entry) for entry in entries[:MOST_GPUS] if isinstance(entry, Mapping)]
    return {"gpus": flat} if flat else {}


def _flat(entry: Mapping[str, Any]) -> dict[str, Any]:
    few = list(entry.items())[:KNOWN_METRICS]
    return {name[:60]: _short(value) for name, value in few if not isinstance(value, (dict, list))}


def model_of(payload: Any, constraints: Any) -> str | None:
    """Return the model that a job names, in its payload or its constraints."""
    if isinstance(payload, Mapping) and isinstance(payload.get("model"), str):
        return str(payload["model"])
    models = constraints.get("models") if isinstance(constraints, Mapping) else None
    return str(models[0]) if isinstance(models, list) and models else None


def _short(value: Any) -> Any:
    return value[:200] if isinstance(value, str) else value
