"""Numbers in free JSON: what went in comes out, from every JSON column of the project and through the public API."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from django.apps import apps
from django.db import connections, models
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from aitbc.core import canonical, jsonb
from aitbc.core.db import alias_of
from aitbc.core.fields import JSONField
from aitbc.core.parsers import BodyInvalid, loads, plain
from aitbc.core.renderers import FastJSONRenderer
from aitbc.domains import LABELS
from apps.ai.models import AIJobResult

OWN = {*LABELS, "accounts"}
FIELDS = [
    field
    for model in apps.get_models()
    if model._meta.app_label in OWN
    for field in model._meta.local_fields
    if isinstance(field, models.JSONField)
]
EDGES = [0.0, 1e16, 1e20, 1e300, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**63, -(2.0**64), 0.1, 1e-7, 123456789.125]
NUMBERS = (
    st.integers(-jsonb.LARGEST, jsonb.LARGEST)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number or 0.0)
    | st.sampled_from(EDGES)
)
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
FREE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same kind: 1 and 1.0 are one number of JSON, True and 1 are not."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def through(field: models.Field[Any, Any], value: Any) -> Any:
    """What this column gives back for a value, by way of PostgreSQL's jsonb."""
    connection = connections[alias_of(field.model)]
    with connection.cursor() as sql:
        sql.execute("SELECT %s::jsonb", [field.get_db_prep_save(value, connection)])
        return field.from_db_value(sql.fetchone()[0], None, connection)  # type: ignore[attr-defined]


def test_there_is_one_kind_of_json_column() -> None:
    assert len(FIELDS) > 40
    assert [f"{field.model._meta.label}.{field.name}" for field in FIELDS if not isinstance(field, JSONField)] == []


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: f"{field.model._meta.label}.{field.name}")
@settings(FREE, max_examples=15)
@given(value=VALUES.filter(lambda value: value is not None))
@example(value={"edges": EDGES})
def test_every_json_column_gives_back_what_it_was_given(field: models.Field[Any, Any], value: Any) -> None:
    back = through(field, value)

    assert same(value, back)
    assert canonical.encode(back) == canonical.encode(value)


@FREE
@given(value=VALUES)
@example(value=EDGES)
def test_what_is_parsed_and_encoded_is_the_same_value(value: Any) -> None:
    assert same(jsonb.loads(jsonb.dumps(plain(loads(jsonb.dumps(value).encode())))), value)


@pytest.mark.parametrize("text", ["9007199254740992", "-9007199254740992", "18446744073709551616", "1" * 40])
def test_an_integer_past_2_53_is_refused(text: str) -> None:
    with pytest.raises(BodyInvalid, match="2\\^53"):
        loads(f'{{"seed": {text}}}'.encode())


@pytest.mark.parametrize("text", ["9007199254740991", "-9007199254740991"])
def test_the_largest_integers_are_taken(text: str) -> None:
    assert loads(text.encode()) == int(text)


@pytest.mark.parametrize("text", ["-0", "-0.0", "-0e5", "0.0"])
def test_zero_has_no_sign(text: str) -> None:
    assert math.copysign(1, plain(loads(text.encode()))) == 1.0


@pytest.mark.parametrize("levels", [129, 300, 1_023, 1_025, 30_000])
def test_what_is_nested_too_deep_is_neither_shown_nor_hashed_nor_stored(levels: int) -> None:
    value = jsonb.loads('{"a":' * levels + "1" * 400 + "}" * levels)

    assert isinstance(value, jsonb.Unreadable)
    assert str(value) == "JSON of more than 128 levels"
    for write in (jsonb.dumps, canonical.encode):
        with pytest.raises((TypeError, ValueError)):
            write({"a": value})
    assert orjson.loads(FastJSONRenderer().render([{"a": value}, {"a": 1}])) == [{"a": 1}]


@pytest.mark.parametrize("text", ['"' + "[" * 2_000 + '"', "[" + "[]," * 2_000 + "1e400]", "[" * 128 + "]" * 128])
def test_brackets_side_by_side_and_in_texts_are_no_levels(text: str) -> None:
    assert jsonb.loads(text) == json.loads(text)


RESULT = {"seed": 2**53 - 1, "loss": 1e20, "tiny": 5e-324, "big": 1.7976931348623157e308, "half": 0.5, "n": [2.0**60]}


def test_a_payload_and_its_result_come_back_as_the_same_doubles(client_api: Any, miner_api: Any, drain: Any) -> None:
    body = {"capabilities": {"supported_tasks": ["echo"], "speed": 1e20}, "concurrency": 1}
    miner_api.json("POST", "/gpu/v1/miners/register", body, status=200, x_miner_id="rig")
    job = client_api.json("POST", "/ai/jobs", {"task_type": "echo", "payload": RESULT}, status=201)
    drain()
    work = miner_api.json("POST", "/gpu/v1/miners/poll", {"max_wait_seconds": 0}, x_miner_id="rig")
    assert same(work["payload"], RESULT)
    path = f"/gpu/v1/miners/{job['id']}/result"
    miner_api.json("POST", path, {"result": RESULT, "attempt": 1, "metrics": {"x": 1e20}}, status=200, x_miner_id="rig")
    drain()

    shown = client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=200)
    assert same(shown["result"], RESULT)
    assert shown["metrics"] == {"x": 1e20}
    assert AIJobResult.objects.get().sha256 == canonical.digest(RESULT)
    assert client_api.json("GET", "/ai/jobs", status=200)["items"][0]["id"] == job["id"]
