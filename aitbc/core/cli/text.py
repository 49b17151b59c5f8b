"""Text of strangers on a terminal and in JSON: characters that would steer the terminal are shown, never sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

#: Control characters but tab and newline, marks that turn the direction of text, halves of a character.
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
BYTE = 0x100


def printable(text: str) -> str:
    """The text with such characters written as Python does: \\x1b, \\u202e."""
    return UNSAFE.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same for text that must not begin a line of its own."""
    return printable(text).replace("\n", "\\n")


def json_text(value: Any, indent: int | None = None) -> str:
    """The value as JSON for people and programs: letters as they are, such characters as escapes of JSON."""
    written = json.dumps(value, indent=indent, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def not_utf8(options: Mapping[str, Any]) -> str:
    """The name of the first option with a text that was not typed in UTF-8, empty when there is none.

    Paths may have any bytes: they are of type Path.
    """
    for name, value in options.items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(text, str) and not _is_utf8(text) for text in texts):
            return name
    return ""


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < BYTE else f"\\u{code:04x}"
