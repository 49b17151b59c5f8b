"""Commitments to inputs and outputs: binding, salted, and the same in the stand-alone verifier."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.trading.logic.commitments import Opening, input_hash, output_hash
from apps.trading.verifier import verify_receipt

pytestmark = pytest.mark.no_db
HASHES = st.binary(min_size=32, max_size=32).map(bytes.hex)
OPENINGS = st.builds(
    Opening, salt=HASHES, payload_sha256=HASHES, artifacts=st.lists(HASHES, max_size=2), result_sha256=HASHES
)


@given(OPENINGS, OPENINGS)
def test_different_inputs_have_different_hashes(one: Opening, other: Opening) -> None:
    names = ("salt", "payload_sha256", "artifacts")
    same = all(one[name] == other[name] for name in names)  # type: ignore[literal-required]

    assert (input_hash(one) == input_hash(other)) == same
    assert input_hash(one) != output_hash(one) != one["result_sha256"]


@given(OPENINGS)
def test_the_verifier_opens_them_and_nothing_else(opening: Opening) -> None:
    receipt = {"input_hash": input_hash(opening), "output_hash": output_hash(opening)}
    other: dict[str, Any] = {**opening, "salt": hashlib.sha256(opening["salt"].encode()).hexdigest()}

    assert verify_receipt.check_opening(receipt, dict(opening))
    for wrong in (other, {**opening, "artifacts": [*opening["artifacts"], "a" * 64]}, {**opening, "result_sha256": ""}):
        with pytest.raises(verify_receipt.Rejected):
            verify_receipt.check_opening(receipt, wrong)


def test_what_is_hashed_is_as_documented() -> None:
    opening: Opening = {"salt": "5" * 64, "payload_sha256": "a" * 64, "artifacts": ["b" * 64], "result_sha256": ""}
    text = (
        b"aitbc.input.v1\n" + bytes.fromhex("5" * 64) + b'{"artifacts":["%s"],"payload":"%s"}' % (b"b" * 64, b"a" * 64)
    )

    assert input_hash(opening) == hashlib.sha256(text).hexdigest()
    assert output_hash(opening) == ""
