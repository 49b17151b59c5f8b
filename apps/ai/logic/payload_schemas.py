"""What the exchange itself can say of a payload: the documented schema of each task type (docs/mining.md).

It decides a miner's claim of bad input, so that it is narrow: a fault is only what no miner could compute. A task type
that is not listed here has no schema; neither has anything that only a model or a decoder can tell.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

Payload = Mapping[str, Any]
Schema = Callable[[Payload, bool], str]  # payload, whether an artifact comes with it → the fault, "" for none


def fault_of(task_type: str, payload: Any, *, has_artifact: bool) -> str:
    """Return what the task type's schema says against this payload; "" when it fits or there is no such schema."""
    schema = SCHEMAS.get(task_type)
    if schema is None:
        return ""
    if not isinstance(payload, Mapping):
        return "the payload must be a JSON object"
    return schema(payload, has_artifact)


def _texts(payload: Payload, has_artifact: bool) -> str:
    entries = _first(payload, "texts", "text", "input", "inputs", "prompt")
    entries = entries if isinstance(entries, list) else [entries]
    return "" if entries and all(map(_is_text, entries)) else "texts (a list) or text is required, none of them empty"


def _conversation(payload: Payload, has_artifact: bool) -> str:
    messages = payload.get("messages")
    if messages is None:
        prompt = _first(payload, "prompt", "text", "input", "inputs")
        return "" if _is_text(prompt) else "a prompt, which is text and not empty, or messages are required"
    if not isinstance(messages, list) or not messages or not all(map(_is_message, messages)):
        return "messages must be a list, each with a role and a content, neither of them empty"
    return ""


def _file(*names: str) -> Schema:
    """The schema of a payload that has a file in base64 under one of these names, unless an artifact comes with it."""

    def schema(payload: Payload, has_artifact: bool) -> str:
        if has_artifact:
            return ""
        encoded = _first(payload, *names)
        return "" if isinstance(encoded, str) and _is_base64(encoded) else f"{names[0]} must be a file in base64"

    return schema


def _text_or_file(payload: Payload, has_artifact: bool) -> str:
    if has_artifact or payload.get("text") is None:
        return _file("base64", "data", "input")(payload, has_artifact)
    return "" if _is_text(payload["text"]) else "text must be text and not empty"


def _first(payload: Payload, *names: str) -> Any:
    return next((payload[name] for name in names if payload.get(name) is not None), None)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_message(value: Any) -> bool:
    """Whether it has a role, and text or parts (of text, images, …) as other engines than ours take them."""
    if not isinstance(value, Mapping) or not _is_text(value.get("role")):
        return False
    content = value.get("content")
    return _is_text(content) or (isinstance(content, list) and bool(content))


def _is_base64(encoded: str) -> bool:
    _, comma, rest = encoded.partition(",")
    content = rest if encoded.startswith("data:") and comma else encoded
    try:
        return bool(base64.b64decode("".join(content.split()), validate=True))
    except (binascii.Error, ValueError):
        return False


SCHEMAS: dict[str, Schema] = {
    **dict.fromkeys(("embedding", "embeddings", "language", "language-detection"), _texts),
    **dict.fromkeys(("inference", "llm", "chat", "text-generation"), _conversation),
    **dict.fromkeys(("file-type", "classification", "filetype"), _text_or_file),
    "ocr": _file("image", "base64", "data", "input"),
    **dict.fromkeys(("transcription", "transcribe"), _file("audio", "base64", "data", "input")),
}
