"""Bytes from outside: what is JSON to us, and what is refused before anything else runs."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitbc.core.parsers import BodyInvalid, Number, loads, plain

pytestmark = pytest.mark.no_db

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\0")), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values)
def test_ordinary_values_survive(value):
    assert loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 9223372036854775808}',
        b"9" * 4000,
        b"0." + b"1" * 4000,
        b'{"a": 1, "a": 2}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b'{"a": "\x00"}',
        '{"a": ١}'.encode(),
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000,
        b'{"a":' * 2000 + b"1" + b"}" * 2000,
    ],
    ids=lambda body: repr(body[:24]),
)
def test_hostile_bodies_are_refused(body):
    with pytest.raises(BodyInvalid):
        loads(body)


def test_depth_is_counted_outside_strings_only():
    assert loads(json.dumps({"a": "[" * 500 + '"' + "{" * 500}).encode())["a"].startswith("[")
    assert loads(b"[" * 32 + b"]" * 32)


def test_an_escaped_backslash_is_not_a_nul():
    assert loads(b'{"a": "\\\\u0000"}') == {"a": "\\u0000"}
    assert loads(b'{"a": "\\ud83d\\ude00"}') == {"a": "😀"}


def test_fractions_remember_how_they_were_written():
    number = loads(b'{"amount": 9007199254.7409931}')["amount"]

    assert isinstance(number, Number)
    assert number.text == "9007199254.7409931"
    assert type(plain({"a": [number]})["a"][0]) is float


MEGABYTES = [
    b"[" * 1_000_000,
    b'"' + b"\\" * 1_000_000,
    b'{"' * 300_000,
    b"[]" * 500_000,
    b"[" * 33 + b'"' + b'\\"' * 500_000,
    b"[" * 33 + b'"' + b"\\" * 999_999,
    b"[" * 33 + b'"a' * 500_000,
    b"[" * 33 + b"-" * 1_000_000,
]


@pytest.mark.parametrize("body", MEGABYTES, ids=lambda body: repr(body[:12] + body[-12:]))
def test_a_hostile_megabyte_costs_little_time(body):
    started = time.process_time()
    with pytest.raises(BodyInvalid):
        loads(body)

    assert time.process_time() - started < 10  # quadratic patterns take minutes; speed itself lives in bench/
