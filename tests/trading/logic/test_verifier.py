"""The stand-alone verifier: accepts what is served, rejects anything else."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aitbc.core import canonical, signing
from apps.trading.models import Receipt
from apps.trading.selectors import receipts
from apps.trading.services import log
from apps.trading.verifier import verify_receipt
from tests.trading.factories import issued

SCRIPT = Path(verify_receipt.__file__)


def bundle_of(receipt: Receipt) -> dict[str, Any]:
    return json.loads(json.dumps(receipts.bundle(receipt)))


def verdict(text: bytes, keys: Any = None) -> str:
    try:
        verify_receipt.check(verify_receipt.parse(text.decode()), keys)
    except (verify_receipt.Rejected, UnicodeDecodeError) as error:
        return f"rejected: {error}"
    return "verified"


def test_a_bundle_verifies_with_the_published_keys_and_without(bundle):
    assert verdict(json.dumps(bundle).encode()) == "verified"
    assert verdict(json.dumps(bundle, indent=2, ensure_ascii=False).encode(), signing.published_keys()) == "verified"


def test_any_flipped_bit_of_the_file_is_rejected(bundle):
    text = canonical.encode(bundle)

    accepted = []
    for position in range(len(text)):
        for bit in range(8):
            bent = bytearray(text)
            bent[position] ^= 1 << bit
            if verdict(bytes(bent)) == "verified":
                accepted.append((position, bit, text[max(0, position - 40) : position + 20]))

    assert accepted == []


def test_any_flipped_bit_of_an_escaped_file_is_rejected_under_published_keys(bundle):
    text = json.dumps(bundle, indent=1).encode()
    keys = signing.published_keys()

    for position in range(len(text)):
        bent = bytearray(text)
        bent[position] ^= 0x20  # the bit between small and capital letters
        assert verdict(bytes(bent), keys) != "verified", text[position - 20 : position + 20]


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for name, part in inner for path in paths(part, (*here, name)))]


def changed(bundle: dict[str, Any], path: tuple[Any, ...], to: Any) -> dict[str, Any]:
    copied = copy.deepcopy(bundle)
    part: Any = copied
    for name in path[:-1]:
        part = part[name]
    part[path[-1]] = to
    return copied


@pytest.mark.parametrize("junk", [None, True, -1, 2**70, "", "x", "\ud800", 0.5, [], {}, [[]], {"a": 1}], ids=repr)
def test_junk_in_any_place_is_rejected_and_never_a_crash(bundle, junk):
    for path in paths(bundle)[1:]:
        mutant = changed(bundle, path, junk)
        if mutant == bundle and type(junk) is type(bundle):
            continue
        if json.dumps(mutant) == json.dumps(bundle):
            continue  # that is its value already
        with pytest.raises(verify_receipt.Rejected):
            verify_receipt.check(mutant)


def test_a_part_left_out_or_added_is_rejected(bundle):
    for path in paths(bundle):
        part: Any = bundle
        for name in path:
            part = part[name]
        if isinstance(part, dict) and part:
            copied = copy.deepcopy(part)
            copied.pop(next(name for name in reversed(copied) if name != "opening"))
            shorter = changed(bundle, path, copied) if path else copied
            longer = changed(bundle, path, {**part, "extra": 1}) if path else {**part, "extra": 1}
            assert verdict(json.dumps(shorter).encode()) != "verified"
            assert verdict(json.dumps(longer).encode()) != "verified"


def test_a_forger_with_a_key_of_their_own_is_rejected_by_the_published_keys(bundle, settings, tmp_path):
    ours = signing.published_keys()
    settings.KEYS_DIR = tmp_path / "forger"
    forged = issued()[0]
    log.seal()
    text = json.dumps(bundle_of(forged)).encode()

    assert verdict(text) == "verified"  # trusted only on the bundle's word, which the output states
    assert verdict(text, ours).startswith("rejected: the bundle uses keys that are not in the keys document")


def test_an_overcharged_receipt_is_rejected(bundle):
    body = {**bundle["receipt"], "price": "0.500001"}

    with pytest.raises(verify_receipt.Rejected, match="higher than the agreed rate"):
        verify_receipt.check_price(body)


def test_a_receipt_outside_its_keys_window_is_rejected(db, settings, tmp_path):
    settings.KEYS_DIR = tmp_path / "keys"
    receipt = issued()[0]
    log.seal()
    bundle = bundle_of(receipt)
    key = signing.current()
    late = signing.Key(key.seed, receipt.issued_at.replace(year=receipt.issued_at.year + 1))

    keys = {"v": 1, "keys": [late.published()]}

    assert "was not valid then" in verdict(json.dumps(bundle).encode(), keys)


def test_receipts_survive_a_rotation_of_keys(db, settings, tmp_path):
    settings.KEYS_DIR = tmp_path / "keys"
    before = issued()[0]
    log.seal()
    signing.rotate()
    after = issued()[0]
    log.seal()

    for receipt in (before, after):
        assert verdict(json.dumps(bundle_of(receipt)).encode(), signing.published_keys()) == "verified"
    assert before.signature["key_id"] != after.signature["key_id"]


def test_it_runs_alone_without_django_or_this_project(bundle, tmp_path):
    (tmp_path / "verify.py").write_bytes(SCRIPT.read_bytes())
    (tmp_path / "bundle.json").write_text(json.dumps(bundle))
    (tmp_path / "keys.json").write_text(json.dumps(signing.published_keys()))
    (tmp_path / "bent.json").write_text(json.dumps({**bundle, "index": bundle["index"] + 1}))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "verify.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    good, bad, absent = run("bundle.json", "--keys", "keys.json"), run("bent.json"), run("none.json")

    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines()[-1] == "VERIFIED" and len(good.stdout.splitlines()) == 10
    assert bad.returncode == 1 and bad.stdout.startswith("REJECTED: ")
    assert absent.returncode == 2 and "cannot be read" in absent.stdout


def test_what_is_no_bundle_is_not_called_a_false_one(tmp_path):
    problem = {"type": "about:blank", "title": "Not sealed.", "status": 409, "detail": "Its block is not sealed yet."}
    (tmp_path / "bundle.json").write_text(json.dumps(problem))

    lines: list[str] = []

    assert verify_receipt.run(str(tmp_path / "bundle.json"), None, lines.append) == 2
    assert lines[0].startswith("NOT CHECKED: ") and "409" in lines[0] and lines[0].endswith("Fetch it again.")


def test_what_strangers_wrote_into_a_bundle_does_not_steer_the_terminal(tmp_path):
    problem = {"title": "No.", "status": 409, "detail": "\x1b]0;mine\x1b\\\x9b2J\u202eé\nVERIFIED"}
    (tmp_path / "bundle.json").write_text(json.dumps(problem))

    lines: list[str] = []
    verify_receipt.run(str(tmp_path / "bundle.json"), None, lines.append)

    (line,) = lines
    assert line.isprintable() and "\\x1b]0;mine" in line and "\\x9b2J\\u202eé\\nVERIFIED" in line


def test_without_cryptography_it_says_what_to_install():
    command = [sys.executable, "-I", "-S", str(SCRIPT), "bundle.json"]  # -S: without site-packages
    alone = subprocess.run(command, capture_output=True, text=True, check=False)

    assert alone.returncode == 2 and "pip install cryptography" in alone.stderr
    assert "Traceback" not in alone.stderr


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":2}', "[1.5]", "[NaN]", "[1e3]", "{", '["\\u00E9"]', "[" * 100_000], ids=lambda text: text[:12]
)
def test_odd_json_is_not_read(text):
    with pytest.raises(verify_receipt.Rejected):
        verify_receipt.parse(text)


@pytest.mark.parametrize(
    "value", [{"b": '€\u0007"\\\n/', "a": [1, None, True]}, {"\U0001f600": 1, "\ufb33": 2}, "\x7f\u2028"]
)
def test_its_canonical_json_is_that_of_the_library(value):
    assert verify_receipt.canonical(value) == canonical.encode(value)
