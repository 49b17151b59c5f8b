"""Numbers and JSON on the command line: refused with exit 2 and words that say what would be taken."""

from __future__ import annotations

import json

import pytest

from aitbc.core.cli.arguments import json_object, number, whole
from tests.shell import ended

pytestmark = pytest.mark.no_db


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("key", "create", "--owner", "dev", "--scope", "client", "--days", "-1"), "a whole number from 1 to 36500"),
        (("job", "list", "--limit", "0"), "a whole number from 1 to 200"),
        (("job", "result", "x", "--timeout", "-5"), "a number from 0 to 86400"),
        (("serve", "--port", "70000"), "a whole number from 1 to 65535"),
        (("up", "--port", "0"), "a whole number from 1 to 65535"),
        (("market", "quote", "x", "--hours", "-2"), "a number from 0.01 to 8760"),
        (("market", "review", "x", "6"), "a whole number from 1 to 5"),
        (("miner", "run", "--key", "k", "--slots", "0"), "a whole number from 1 to 1024"),
        (("miner", "run", "--key", "k", "--drain-seconds", "-1"), "a number of seconds from 0 to 86400"),
        (("gpu", "offer", "1", "0.5", "1", "--specs", '{"seed": 9007199254740992}'), "9007199254740991"),
        (("miner", "capabilities", '{"a": 1, "a": 2}'), "same key twice"),
        (("market", "offers", "edit", "x", "--attributes", '{"a": NaN}'), "JSON"),
    ],
    ids=" ".join,
)
def test_what_is_out_of_range_is_exit_2_and_says_the_range(arguments, words):
    code, out, err = ended(*arguments)

    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_payload_that_could_not_be_signed_is_exit_2_and_one_json_object():
    code, _, err = ended("job", "submit", "echo", '{"seed": -9007199254740992}', "--key", "k", "--json")

    assert (code, json.loads(err)["code"]) == (2, "usage")
    assert "9007199254740991" in json.loads(err)["detail"]


def test_json_is_read_by_the_rules_of_a_request():
    assert json_object('{"seed": 9007199254740991, "x": 1e20, "y": [0.5]}') == {
        "seed": 9007199254740991, "x": 1e20, "y": [0.5],
    }  # fmt: skip
    assert type(json_object('{"x": 0.5}')["x"]) is float


def test_numbers_keep_what_was_written():
    assert (number(0, 1)("0.25"), number(0, 100)("24"), whole(0, 10)("7")) == (0.25, 24, 7)
    assert type(number(0, 100)("24")) is int
