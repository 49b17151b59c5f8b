"""The miner's JSON is JSON that the exchange reads."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitbc.core.parsers import loads
from apps.gpu.logic.encoding import MAX_DEPTH, Unencodable, encode, valid_text

pytestmark = pytest.mark.no_db

TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=3)
KEYS = TEXTS | st.integers() | st.none() | st.booleans() | st.tuples(st.integers())
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)


@given(VALUES)
@settings(max_examples=300, deadline=None)
def test_what_is_encoded_is_read_by_the_exchange_as_the_same_value(value):
    try:
        encoded = encode({"result": value})
    except Unencodable as error:
        assert str(error).isprintable()
        return
    loads(encoded)
    assert encode(json.loads(encoded)) == encoded


@given(TEXTS)
def test_valid_text_is_utf_8_and_stays_as_it_is(text):
    valid = valid_text(text)
    assert "\x00" not in valid and valid.encode().decode() == valid == valid_text(valid)
    if "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text):
        assert valid == text


def test_halves_of_a_surrogate_pair_that_arrived_apart_become_one_character():
    assert valid_text("\ud83d" + "\ude00" + "\ude00") == "\U0001f600\ufffd"


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [1, float("nan")]}, ".a[1]: nan"),
        ({"a": {"b": -(2**53)}}, ".a.b: a whole number"),
        ([object()], "[0]: object is not a type of JSON"),
        ({1: 0, "1": 0}, "two keys"),
    ],
)
def test_the_error_says_where_and_what(value, where):
    with pytest.raises(Unencodable) as raised:
        encode(value)
    assert str(raised.value).startswith(where)


def test_depth_is_bounded_as_at_the_exchange():
    def nested(levels):
        return [] if levels == 1 else [nested(levels - 1)]

    assert loads(encode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(Unencodable):
        encode(nested(MAX_DEPTH + 1))
