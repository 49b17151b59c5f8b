"""A pytest plugin that takes the schema's examples from the placeholder detector: `make examples`.

What the first life asks and is answered becomes apps/<label>/examples.json, one pair for each action of a viewset.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

APPS = Path(__file__).resolve().parents[2] / "apps"
LONGEST = 300  # characters of a text
taken: dict[str, dict[str, dict[str, Any]]] = {}


def pytest_collection_finish(session: pytest.Session) -> None:
    from tests.architecture.probes import Life, Probe

    ask = Probe.call

    def listen(probe: Probe, life: Life) -> Any:
        answer = ask(probe, life)
        if life.number == 1 and answer.status_code < 300:
            take(probe, life.filled(probe.body), answer)
        return answer

    Probe.call = listen  # type: ignore[method-assign]


def take(probe: Any, request: Any, answer: Any) -> None:
    view = answer.resolver_match.func
    package, label = view.cls.__module__.split(".")[:2]
    if package != "apps":
        return
    action = f"{view.cls.__name__}.{view.actions[probe.method.lower()]}"
    example = taken.setdefault(label, {}).setdefault(action, {})
    if isinstance(request, dict):
        example.setdefault("request", shortened(request))
    body = json.loads(answer.content) if answer.headers.get("Content-Type", "").startswith("application/json") else None
    if body is not None:
        example.setdefault("response", shortened(body))


def shortened(value: Any) -> Any:
    """One item of each list of things, the beginning of each long text."""
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in (value[:1] if value and isinstance(value[0], dict) else value)]
    return value[:LONGEST] if isinstance(value, str) else value


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    for label, examples in taken.items() if exitstatus == 0 else ():
        kept = {action: example for action, example in sorted(examples.items()) if example}
        (APPS / label / "examples.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
