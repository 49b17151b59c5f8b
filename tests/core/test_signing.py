"""The key ring: one ring however many processes start, windows, rotation, signatures bound to their purpose."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import call_command

from aitbc.core import canonical, signing

pytestmark = pytest.mark.no_db
BODY = {"job": "1", "n": 3, "none": None}


@pytest.fixture(autouse=True)
def folder(settings, tmp_path) -> Path:
    """A ring of this test's own."""
    settings.KEYS_DIR = tmp_path / "keys"
    return tmp_path / "keys"


def test_what_is_signed_verifies_for_its_tag_and_body_only():
    signature = signing.sign("aitbc.test.v1", BODY)

    assert signing.verify("aitbc.test.v1", BODY, signature)
    assert not signing.verify("aitbc.test.v2", BODY, signature)
    assert not signing.verify("aitbc.test.v1", {**BODY, "n": 4}, signature)
    assert not signing.verify("aitbc.test.v1", BODY, {**signature, "alg": "none"})
    assert not signing.verify("aitbc.test.v1", BODY, {**signature, "key_id": "0" * 32})
    assert not signing.verify("aitbc.test.v1", BODY, {**signature, "sig": signature["sig"][:-1]})
    assert not signing.verify("aitbc.test.v1", BODY, {**signature, "sig": 7})
    assert not signing.verify("aitbc.test.v1", BODY, {})


def test_the_signature_is_over_tag_line_feed_and_canonical_json():
    signature = signing.sign("aitbc.test.v1", BODY)
    published = signing.published_keys()["keys"][0]
    public = base64.urlsafe_b64decode(published["public_key"] + "=")

    Ed25519PublicKey.from_public_bytes(public).verify(
        base64.urlsafe_b64decode(signature["sig"] + "=="), b'aitbc.test.v1\n{"job":"1","n":3,"none":null}'
    )
    assert published["key_id"] == signature["key_id"]


def test_the_ring_is_private_and_made_once(folder):
    first = signing.current()

    assert signing.current() == first
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_published_keys_hold_no_secret(folder):
    signing.current()
    seeds = [key["seed"] for key in json.loads((folder / "ring.json").read_text())["keys"]]

    assert not any(seed in json.dumps(signing.published_keys()) for seed in seeds)


def test_eight_processes_that_start_at_once_agree_on_one_key(folder):
    code = (
        "import os, sys; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "from aitbc.core import signing\n"
        "sys.stdin.readline(); print(signing.current().key_id)"
    )
    environment = {**os.environ, "AITBC_KEYS_DIR": str(folder)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )
        for _ in range(8)
    ]
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    names = {process.communicate(timeout=60)[0].strip() for process in started}

    assert names == {signing.current().key_id}


def test_after_a_rotation_the_new_key_signs_and_the_old_one_still_verifies():
    before = signing.sign("aitbc.test.v1", BODY)
    old, new = signing.rotate()
    after = signing.sign("aitbc.test.v1", BODY)
    now = datetime.now(UTC)

    assert (before["key_id"], after["key_id"]) == (old.key_id, new.key_id)
    assert signing.verify("aitbc.test.v1", BODY, before) and signing.verify("aitbc.test.v1", BODY, after)
    assert signing.verify("aitbc.test.v1", BODY, before, at=now)
    assert not signing.verify("aitbc.test.v1", BODY, before, at=now + 2 * signing.OVERLAP)
    assert [key["not_after"] is None for key in signing.published_keys()["keys"]] == [False, True]


def test_a_key_is_not_used_before_its_time(folder):
    present = signing.current()
    signing.rotate(now=datetime.now(UTC) + timedelta(days=1))

    assert signing.current().key_id == present.key_id


def test_the_ring_may_come_from_the_environment(folder, monkeypatch):
    signing.current()
    text = (folder / "ring.json").read_text()
    (folder / "ring.json").unlink()
    monkeypatch.setenv("AITBC_SIGNING_KEYS", text)

    assert signing.current().stored() == json.loads(text)["keys"][0]
    assert not (folder / "ring.json").exists()
    with pytest.raises(RuntimeError, match="AITBC_SIGNING_KEYS"):
        signing.rotate()


@pytest.mark.parametrize("value", [{"b": 1, "a": [True, None]}, {"\u20ac": "\r", "\U0001f600": 1, "\ufb33": 0.1}])
def test_canonical_json_is_one_sequence_of_bytes(value):
    again = json.loads(canonical.encode(value))

    assert canonical.encode(again) == canonical.encode(value)
    assert again == value


@pytest.mark.parametrize("value", [float("nan"), 2**53 + 1, "\ud800", {1: 2}], ids=repr)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(ValueError):
        canonical.encode(value)


def test_the_command_rotates_and_prints_what_is_published(capsys):
    old = signing.current()
    call_command("signing_key", "rotate", "--json")

    published = json.loads(capsys.readouterr().out)

    assert published == signing.published_keys()
    assert [key["key_id"] for key in published["keys"]] == [old.key_id, signing.current().key_id]
