"""Examples for the schema: what a request and its answer really look like.

Each domain keeps its own in apps/<label>/examples.json, under "<view set>.<action>". `make examples` takes them from
the endpoints themselves; tests/architecture/test_schema.py holds each against the schema it illustrates.
"""

from __future__ import annotations

import http
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from aitbc.core.problems import TYPE_PREFIX

FILE = "examples.json"


def example_of(view: Any) -> dict[str, Any]:
    """{request, response} of the view's present action, as far as there are any."""
    kept: dict[str, Any] = kept_beside(type(view).__module__).get(f"{type(view).__name__}.{view.action}", {})
    return kept


@cache
def kept_beside(module: str) -> dict[str, Any]:
    """Return the examples of the domain this module belongs to (apps.gpu.views.gpus → apps/gpu)."""
    package = sys.modules[".".join(module.split(".")[:2])]
    path = Path(package.__path__[0]) / FILE
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def problem_example(status: int, description: str) -> dict[str, Any]:
    """What a refusal of this kind looks like."""
    title = http.HTTPStatus(status).phrase
    code = title.lower().replace(" ", "_")
    return {
        "type": f"{TYPE_PREFIX}{code.replace('_', '-')}",
        "title": title,
        "status": status,
        "detail": description,
        "code": code,
        "request_id": "0190f3c2a4b87c1e9d0f5e6a7b8c9d0e",
        "error": code,
    }
