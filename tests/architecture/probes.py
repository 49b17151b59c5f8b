"""How the placeholder detector asks: one probe is one endpoint, tried in two lives that have nothing in common.

A domain lists its probes in tests/<label>/probes.py, with what it adds to a life (`live`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from aitbc.domains import LABELS
from tests.clients import Api

UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}"
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
INCIDENTAL = re.compile(f"{UUID}|{MOMENT}")  # new each time, whatever the program does
VOLATILE = {"request_id", "session_token", "next"}


@dataclass
class Life:
    """A client, a miner's owner and an operator with things of their own; `things` are what probes may name."""

    number: int
    client: Api
    miner: Api
    operator: Api
    anonymous: Api
    drain: Callable[[], int]
    things: dict[str, Any] = field(default_factory=dict)

    def filled(self, template: Any) -> Any:
        """The template with {names} replaced by this life's things, in every text of it."""
        if isinstance(template, str):
            whole = re.fullmatch(r"\{(\w+)\}", template)
            return self.things[whole[1]] if whole else re.sub(r"\{(\w+)\}", lambda m: str(self.things[m[1]]), template)
        if isinstance(template, dict):
            return {name: self.filled(value) for name, value in template.items()}
        return [self.filled(value) for value in template] if isinstance(template, list) else template


@dataclass(frozen=True)
class Probe:
    """One call. `before` is done before it, in each life: for endpoints that take no input and answer for the world."""

    who: str
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    before: Callable[[Life], object] | None = None
    constant: str = ""  # why it answers the same to everybody, if it does

    def call(self, life: Life) -> Any:
        if self.before is not None:
            self.before(life)
        filled = life.filled(self.body)
        caller: Api = getattr(life, self.who)
        body = filled.encode() if isinstance(filled, str) else filled
        return caller.request(self.method, life.filled(self.path), body, **life.filled(self.headers))

    def content(self, life: Life, answer: Any) -> Any:
        """What the answer says of itself: without ids, times, and what only repeats the question."""
        text = b"".join(answer.streaming_content) if answer.streaming else answer.content
        if not answer.headers.get("Content-Type", "").startswith("application/json"):
            return text
        repeated = {str(value) for value in life.things.values() if isinstance(value, str)}
        repeated |= set(leaves(life.filled(self.body)))
        return without(json.loads(text), repeated)


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [leaf for inner in value for leaf in leaves(inner)] if isinstance(value, list) else [str(value)]


def without(value: Any, repeated: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: without(inner, repeated) for name, inner in value.items() if name not in VOLATILE}
    if isinstance(value, list):
        return [without(inner, repeated) for inner in value]
    if isinstance(value, str) and (value in repeated or INCIDENTAL.search(value)):
        return "…"
    return value


def parts(name: str) -> list[Any]:
    """This attribute of each domain's tests/<label>/probes.py."""
    named = [f"tests.{label}.probes" for label in LABELS if find_spec(f"tests.{label}")]
    modules = [import_module(name) for name in named if find_spec(name)]
    return [getattr(module, name) for module in modules]
